"""Keeping conversations in order: retention, erasure, demonstration data."""
