"""Metrics of the replies that this process currently makes and follows."""

from collections.abc import Mapping

from chatbot.telemetry import metrics
from conversations.replies import dispatch, streams

HELPS = {
    "chat_replies_running": "Replies that this process is making.",
    "chat_replies_queued": "Replies that wait for the database: to be claimed, or to be saved at their end.",
    "chat_replies_followed": "Replies of other processes that this process follows.",
    "chat_reply_viewers": "Viewers of replies in this process.",
    "chat_streams": "Event streams that this process has open.",
}


def register() -> None:
    """Add these metrics to the page of metrics."""
    metrics.registry.register(metrics.Gauges(HELPS, read))


def read() -> Mapping[str, float]:
    """Current values by name. Safe in any thread."""
    counts = dispatch.counts() | {"streams": streams.open_streams()}
    # Before its first reply, a process has 0 of each.
    return dict.fromkeys(HELPS, 0) | {f"chat_{name}": count for name, count in counts.items()}
