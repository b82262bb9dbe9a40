"""The small language model that answers when no provider is configured, as an OpenAI-compatible endpoint."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

from chatbot.embedded.service import SharedService
from chatbot.embedded.weights import MODEL, installed_weights


@dataclass(frozen=True)
class Endpoint:
    """Address, key and name of a model's server."""

    base_url: str
    """Such as http://127.0.0.1:40123/v1; changes when the server is started again."""

    api_key: str
    model: str


def available() -> bool:
    """Whether the packages that the model needs are installed; starts nothing."""
    return importlib.util.find_spec("xllamacpp") is not None and installed_weights() is not None


def endpoint() -> Endpoint:
    """The running model; the first call starts its process and blocks until it answers, later ones take microseconds.

    Raises `EmbeddedServiceError` when it cannot be started.
    """
    values = _service(Path(settings.EMBEDDED_DIR).resolve()).ensure()
    return Endpoint(values["base_url"], values["api_key"], MODEL)


@cache
def _service(directory: Path) -> SharedService:
    return SharedService(
        "The local model",
        directory / "model",
        "chatbot.embedded.inference:ModelServer",
        {},
        "To use another model instead, set OPENAI_BASE_URL or OPENAI_API_KEY.",
    )
