"""Crash reports to Sentry where `SENTRY_DSN` is set: log lines of level ERROR with their origin.

The package is imported only then, and patches nothing but logging. A report consists of allowed parts only: no request,
no variables, and of an exception the words that the log has too.
"""

import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chatbot.core import faults
from chatbot.telemetry import origin
from chatbot.telemetry.logs import Formatter

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

END_SECONDS = 2.0
"""Seconds that the end of the process waits for reports to be sent."""

TOLD = (
    "event_id",
    "timestamp",
    "level",
    "logger",
    "platform",
    "release",
    "environment",
    "server_name",
    "sdk",
    "modules",
)
"""Parts of a report that are passed on unchanged."""

_formatter = Formatter()


def begin() -> None:
    """Start to report crashes, if the settings name a target. Raises `ImproperlyConfigured` without the package."""
    if not settings.SENTRY_DSN:
        return
    try:
        import sentry_sdk
        from sentry_sdk.integrations.dedupe import DedupeIntegration
        from sentry_sdk.integrations.logging import LoggingIntegration
    except ImportError as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN is set, but Sentry's package is not installed: install requirements-telemetry.txt."
        ) from error
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SENTRY_ENVIRONMENT,
        release=settings.SENTRY_RELEASE or None,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR), DedupeIntegration()],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        before_send=told,
    )


def end() -> None:
    """Send pending reports; blocks for `END_SECONDS` at most."""
    if settings.SENTRY_DSN:
        import sentry_sdk

        sentry_sdk.flush(timeout=END_SECONDS)


def told(event: "Event", hint: "Hint") -> "Event | None":
    """The reduced report of an event; None for a response with status 5xx without a crash."""
    record: logging.LogRecord | None = hint.get("log_record")
    error: BaseException | None = (hint.get("exc_info") or (None, None))[1]
    if error is None and record and record.name == "django.request":
        return None
    report: dict[str, Any] = {name: value for name, value in event.items() if name in TOLD}
    if record:
        report["logentry"] = {"message": _formatter.message(record)}
    if error:
        words = {type(each).__name__: faults.described(each).partition(": ")[2] for each in faults.chain(error)}
        report["exception"] = {"values": [_told_of(value, words) for value in event["exception"]["values"]]}
    fields = dict(origin.fields())
    if user := fields.pop("user_id", ""):
        report["user"] = {"id": user}
    report["tags"] = fields
    return report  # type: ignore[return-value] # its parts are those of an event


def _told_of(value: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """One exception of a report: its kind, its harmless words, and its places in the code."""
    frames = [
        {name: part for name, part in frame.items() if name != "vars"}
        for frame in (value.get("stacktrace") or {}).get("frames", ())
    ]
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": words.get(str(value.get("type")), ""),
        "mechanism": value.get("mechanism"),
        "stacktrace": {"frames": frames},
    }
