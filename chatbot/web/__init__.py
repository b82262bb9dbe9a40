"""Serving requests, and what the pages and the API of every app share."""
