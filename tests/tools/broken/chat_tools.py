"""Functions that are marked as tools, and cannot be any."""

from tools.define import tool


@tool
def nameless(title: str) -> str:
    return title


@tool
def fine(title: str) -> str:
    """Do what is asked for."""
    return title
