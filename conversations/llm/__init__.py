"""Requests to a model: typed events out, errors with a sentence out."""
