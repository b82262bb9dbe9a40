"""Metrics of the threads in which this process runs tools."""

from collections.abc import Mapping

from chatbot.telemetry import metrics
from tools.async_calls import running
from tools.threads import threads

HELPS = {
    "chat_tool_threads": "Threads in which this process runs tools, at most.",
    "chat_tool_threads_busy": "Threads in which a tool runs.",
    "chat_tool_threads_hung": "Threads whose tool runs longer than it may, and cannot be ended.",
    "chat_tool_calls_queued": "Calls of tools that wait for a thread.",
    "chat_tool_tasks": "Asynchronous tools that run, or do not end.",
}


def register() -> None:
    """Add these metrics to the page of metrics."""
    metrics.registry.register(metrics.Gauges(HELPS, read))


def read() -> Mapping[str, float]:
    """Current values by name. Safe in any thread."""
    used = threads()
    counts = used.counts()
    values = (used.size, counts["busy"], counts["hung"], counts["waiting"], len(running()))
    return dict(zip(HELPS, values, strict=True))
