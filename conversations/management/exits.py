"""Exit codes of commands; 0 is all done, 1 is a failure."""

TIME_IS_UP = 3
"""A run that did what it had time for."""

ANOTHER_RUNS = 4
"""A run that found another one at work."""

INTERRUPTED = 130
"""A run that Ctrl-C has ended, as shells call it."""
