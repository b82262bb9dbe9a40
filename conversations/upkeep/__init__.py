"""Upkeep of conversations: retention, erasure, demonstration data."""
