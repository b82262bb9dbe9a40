"""Start and end of a process's telemetry: logs, traces, crashes."""

from django.core.exceptions import ImproperlyConfigured

from chatbot.telemetry import crashes, logs, tracing


def begin() -> str:
    """Start this process's telemetry, as the settings say; call it in the event loop that serves.

    Returns why the process cannot start, as a sentence: a package is missing. Empty when it can.
    """
    logs.watch_loop()
    try:
        tracing.begin()
        crashes.begin()
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def end() -> None:
    """Send what is pending; blocks for some seconds at most."""
    tracing.end()
    crashes.end()
