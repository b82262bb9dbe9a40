"""What a process reports about itself, begun and ended with it: logs, traces, crashes."""

from django.core.exceptions import ImproperlyConfigured

from chatbot.telemetry import crashes, logs, tracing


def begin() -> str:
    """Watch this process, as the settings want it, from now on; for the event loop that serves.

    Returns why it cannot start, as a sentence: a package is missing. Empty when it can.
    """
    logs.watch_loop()
    try:
        tracing.begin()
        crashes.begin()
    except ImproperlyConfigured as error:
        return str(error)
    return ""


def end() -> None:
    """Send what there is left, for some seconds at most. Blocks."""
    tracing.end()
    crashes.end()
