"""Contexts of the pages' templates."""
