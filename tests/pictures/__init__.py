"""The pictures of the README, made by a real browser: `make pictures`."""
