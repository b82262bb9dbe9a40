"""Conversations as files: export, and import of what was exported."""
