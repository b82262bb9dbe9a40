"""Conversations as files: export, and import of exported files."""
