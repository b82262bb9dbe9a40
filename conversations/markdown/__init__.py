"""Markdown text to safe HTML, whole or block by block while it grows."""
