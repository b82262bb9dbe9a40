"""What another server said when it refused a request of this site."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Upstream:
    """The refusal of a model provider, or of another server, in one form; what it did not say is empty."""

    status: int = 0
    """Of the answer or, where that was no failure or a vaguer one, the one that the error in it names."""
    type: str = ""
    code: str = ""
    param: str = ""
    message: str = ""
    """The provider's words, without the site's key."""
    retry_after: float | None = None
    """The wait in seconds that it asked for."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those about its limits and about asking again, names in lower case."""
    is_structured: bool = False
    """Whether the words came as JSON, as those of providers do; a proxy or firewall before it sends a web page."""
    text: str = ""
    """All of it in one line, for staff. Of JSON without any message only the names of its fields: validators like to
    repeat the input."""
