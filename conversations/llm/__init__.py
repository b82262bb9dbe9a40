"""Asking a model: typed events out, plain errors out."""
