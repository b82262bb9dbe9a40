"""The refusal of another server that this site asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Upstream:
    """The refusal of a model provider or another server, in one form; missing parts are empty."""

    status: int = 0
    """HTTP status of the response, or the one inside its error where the response's is missing or vaguer."""
    type: str = ""
    code: str = ""
    param: str = ""
    message: str = ""
    """The provider's words, without the site's key."""
    retry_after: float | None = None
    """Seconds that the provider asked to wait."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers about its limits and retries, names in lower case."""
    is_structured: bool = False
    """Whether the words came as JSON, as from providers; a proxy or firewall in between sends a web page."""
    text: str = ""
    """The whole refusal in one line, for staff.

    Of JSON without a message only the names of its fields, as validators often repeat the input.
    """
