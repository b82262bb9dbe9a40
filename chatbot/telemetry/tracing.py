"""Spans of requests and model calls, sent by OpenTelemetry where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

Its packages are imported only then. Attributes follow OpenTelemetry's conventions for HTTP and for generative AI; they
are names, counts and codes, without messages and search terms.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chatbot.core.process import Part
from chatbot.telemetry import origin

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

END_SECONDS = 3.0
"""Seconds that the end of the process waits for spans to be sent."""

PROTOCOL = "openai"
"""Name of the protocol in which every provider is asked."""


@dataclass(slots=True)
class Tracing:
    """Where the process sends its spans."""

    provider: "TracerProvider | None" = None
    """None where they are not sent."""


_tracing = Part(Tracing)


def begin() -> None:
    """Start to send spans, if the settings name a target. Raises `ImproperlyConfigured` without the packages."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but its packages are missing: install requirements-telemetry.txt."
        ) from error
    resource = Resource.create({"service.name": settings.OTEL_SERVICE_NAME})
    provider = _tracing().provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))


def end() -> None:
    """Send pending spans; blocks for `END_SECONDS` at most."""
    if provider := _tracing().provider:
        # An unreachable collector must not delay the end of the process.
        sending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(END_SECONDS)


def begin_request(headers: Iterable[tuple[bytes, bytes]], method: str) -> "Span | None":
    """Start the span of a request as the current one of this context; None where spans are not sent.

    The span belongs to the trace that the request's headers name.
    """
    provider = _tracing().provider
    if not provider:
        return None
    from opentelemetry import context, propagate, trace

    sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    carried = {name: sent[name] for name in ("traceparent", "tracestate") if name in sent}
    tracer = provider.get_tracer("chatbot")
    span = tracer.start_span(method, propagate.extract(carried), kind=trace.SpanKind.SERVER)
    context.attach(trace.set_span_in_context(span))
    origin.add(trace_id=trace.format_trace_id(span.get_span_context().trace_id))
    return span


def end_request(span: "Span", fields: Mapping[str, str], status: int) -> None:
    """End the span of a request; `status` is 0 when the response never began."""
    from opentelemetry.trace import StatusCode

    if route := fields.get("route"):
        span.update_name(f"{fields['method']} {route}")
        span.set_attribute("http.route", route)
    span.set_attributes({"http.request.method": fields["method"], "url.path": fields["path"]})
    span.set_attributes(
        {f"chat.{name}": fields[name] for name in ("request_id", "conversation_id", "message_id") if name in fields}
    )
    if user := fields.get("user_id"):
        span.set_attribute("user.id", user)
    if status:
        span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
    span.end()


def begin_model_call(address: str, model: str) -> "Span | None":
    """Start the span of a request to the provider at this address; None where spans are not sent."""
    provider = _tracing().provider
    if not provider:
        return None
    from opentelemetry.trace import SpanKind

    server = urlsplit(address)
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROTOCOL,
        "server.address": server.hostname or "",
        "server.port": server.port or (443 if server.scheme == "https" else 80),
    }
    attributes |= {f"chat.{name}": value for name, value in origin.fields().items() if name.endswith("_id")}
    return provider.get_tracer("chatbot").start_span(
        f"chat {model}".strip(), kind=SpanKind.CLIENT, attributes=attributes
    )


def headers_of(span: "Span") -> dict[str, str]:
    """Headers by which another server adds its work to this span."""
    from opentelemetry import propagate, trace

    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    return carrier


def end_model_call(
    span: "Span", *, model: str, error: str, prompt_tokens: int | None, completion_tokens: int | None
) -> None:
    """End the span of a request to the provider; `error` is empty when the answer is complete."""
    from opentelemetry.trace import StatusCode

    known = {
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": prompt_tokens,
        "gen_ai.usage.output_tokens": completion_tokens,
        "error.type": error,
    }
    span.update_name(f"chat {model}".strip())
    span.set_attributes({name: value for name, value in known.items() if value not in {None, ""}})
    if error:
        span.set_status(StatusCode.ERROR)
    span.end()
