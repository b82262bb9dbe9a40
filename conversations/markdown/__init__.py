"""Text to safe HTML, whole or block by block."""
