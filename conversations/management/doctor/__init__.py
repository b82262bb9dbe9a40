"""Checks of an installation, with advice on each fault."""
