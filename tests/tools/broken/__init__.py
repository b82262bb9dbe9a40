"""An app whose functions cannot be tools."""
