"""An app with two tools."""
