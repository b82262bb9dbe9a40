"""Benchmarks of one server process: `make bench`."""
