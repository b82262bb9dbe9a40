"""What models turned out to be unable to do, remembered for an hour: a server's next version may be able to."""

import time

from chatbot.core.process import Part

SECONDS = 3_600.0
"""How long a refusal of tools is remembered."""

_without_tools = Part(dict[tuple[str, str], float])
"""(base URL, model) -> time at which the provider refused tools (`time.monotonic`)."""


def takes_tools(base_url: str, model: str) -> bool:
    """Whether the model has not refused tools within the last hour. Safe in any thread."""
    refused = _without_tools().get((base_url, model))
    return refused is None or time.monotonic() - refused > SECONDS


def note_refusal(base_url: str, model: str) -> None:
    """Remember that the model takes no tools. Safe in any thread."""
    _without_tools()[base_url, model] = time.monotonic()
