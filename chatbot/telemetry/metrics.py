"""Metrics of this process in Prometheus' format, counted where things happen or read when requested.

Counting takes microseconds and needs no setting; only the page of metrics does (`METRICS_TOKEN`). Several processes are
several instances to Prometheus, each with an address of its own.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from django.conf import settings
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chatbot.core import database
from chatbot.core.process import Part

PATH = "/metrics"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MODELS_MAX = 100
OTHER = "other"

WAIT = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60, 120)
REPLY = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
OURS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5)

# A creation time beside each series would double them, and Prometheus does not need it.
disable_created_metrics()  # type: ignore[no-untyped-call]
registry = CollectorRegistry()
ProcessCollector(registry=registry)

requests = Counter(
    "chat_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
)  # the name gets its `_total` from the client
request_seconds = Histogram(
    "chat_http_request_duration_seconds",
    "Time from a request to the start of its response.",
    ("route",),
    buckets=OURS,
    registry=registry,
)
replies = Counter("chat_replies", "Replies that ended.", ("status", "error", "model"), registry=registry)
reply_seconds = Histogram(
    "chat_reply_duration_seconds",
    "Time from claiming a reply to its end.",
    ("model",),
    buckets=REPLY,
    registry=registry,
)
first_token_seconds = Histogram(
    "chat_reply_first_token_seconds",
    "Time from claiming a reply to its first token.",
    ("model",),
    buckets=WAIT,
    registry=registry,
)
added_seconds = Histogram(
    "chat_reply_added_latency_seconds",
    "Time from claiming a reply to the request to the model: the latency that the chat adds.",
    buckets=OURS,
    registry=registry,
)
model_requests = Counter(
    "chat_model_requests",
    "Requests to the model provider; no error means that it answered.",
    ("model", "error"),
    registry=registry,
)
model_seconds = Histogram(
    "chat_model_first_token_seconds",
    "Time from a request to the provider to the first piece of its answer.",
    ("model",),
    buckets=WAIT,
    registry=registry,
)
retries = Counter("chat_model_retries", "Retries of requests to the provider.", ("error",), registry=registry)
prompt_tokens = Counter(
    "chat_prompt_tokens", "Tokens that models read, as the provider counts them.", ("model",), registry=registry
)
completion_tokens = Counter(
    "chat_completion_tokens", "Tokens that models wrote, as the provider counts them.", ("model",), registry=registry
)
tool_calls = Counter("chat_tool_calls", "Calls of tools that ended.", ("tool", "end"), registry=registry)
tool_seconds = Histogram(
    "chat_tool_call_duration_seconds",
    "Time from the start of a tool's call to its end.",
    ("tool",),
    buckets=CALL,
    registry=registry,
)

_answering = Part(set[str])
"""The models that have answered in this process."""


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request by the status of its response, which began `seconds` after the request."""
    counter, histogram = _series(method, route, status)
    counter.inc()
    histogram.observe(seconds)


# Looking a series up by its labels takes longer than counting.
@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return requests.labels(method, route, f"{status // 100}xx"), request_seconds.labels(route)


def answers(model: str) -> None:
    """Remember that a provider has answered under this model's name."""
    answering = _answering()
    if len(answering) < MODELS_MAX:
        answering.add(model)


def model_label(model: str) -> str:
    """The model's name if the site names it or it has answered, else `other`: typed names must not create series."""
    return model if model in _answering() or model in settings.CHAT_MODELS else OTHER


class Gauges(Collector):
    """Metrics that are read when requested: `read` returns a value for each name."""

    def __init__(self, helps: Mapping[str, str], read: Callable[[], Mapping[str, float]]) -> None:
        self._helps = helps
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The current metrics; those with names in `_total` are counters."""
        for name, value in self._read().items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, self._helps[name], value=value)


POOL = {
    "pool_max": ("chat_database_pool_connections_max", "Connections to the database that this process may hold."),
    "pool_size": ("chat_database_pool_connections", "Connections to the database that this process holds."),
    "pool_available": ("chat_database_pool_connections_idle", "Idle connections to the database."),
    "requests_waiting": ("chat_database_pool_waiting", "Threads that wait for a connection."),
    "requests_num": ("chat_database_pool_requests_total", "Requests for a connection to the database."),
    "requests_queued": ("chat_database_pool_queued_total", "Requests for a connection that had to wait."),
    "requests_errors": ("chat_database_pool_errors_total", "Requests for a connection that failed."),
}
"""Key in the pool's statistics -> name and description of the metric."""


def _pool() -> dict[str, float]:
    pool = database.site_pool()
    counted = pool.get_stats() if pool else {}
    return {name: counted.get(key, 0) for key, (name, _) in POOL.items()}


registry.register(Gauges(dict(POOL.values()), _pool))


def is_on() -> bool:
    """Whether the page of metrics is enabled."""
    return bool(settings.METRICS_TOKEN)


def may_see(authorization: bytes) -> bool:
    """Whether a request with this header may read the metrics."""
    return secrets.compare_digest(authorization, b"Bearer " + settings.METRICS_TOKEN.encode())


def page() -> bytes:
    """The page with all metrics. Takes milliseconds, and sends no request or query."""
    return generate_latest(registry)
