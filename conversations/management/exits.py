"""Exit codes of commands; 0 is complete success, 1 is a failure."""

TIME_IS_UP = 3
"""The run ended because its time was used up."""

ANOTHER_RUNS = 4
"""The run ended because another one is at work."""

INTERRUPTED = 130
"""The run was ended by Ctrl-C, by the convention of shells."""
