"""Spans of requests and of calls of the model, sent by OpenTelemetry where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.

Its packages are imported only then. Attributes follow OpenTelemetry's conventions for HTTP and for generative AI; they
are names, counts and codes: neither what was said nor what was searched for.
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
"""How long the end of the process waits for spans to be sent."""

PROTOCOL = "openai"
"""The protocol that every provider is asked in."""


@dataclass(slots=True)
class Tracing:
    """Where the process sends its spans."""

    provider: "TracerProvider | None" = None
    """None where they are not sent."""


_tracing = Part(Tracing)


def begin() -> None:
    """Send spans from now on, if the settings say where to. Raises `ImproperlyConfigured` without the packages."""
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
    """Send what there is, for some seconds at most. Blocks."""
    if provider := _tracing().provider:
        # A collector that is away must not keep the process.
        sending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(END_SECONDS)


def begin_request(headers: Iterable[tuple[bytes, bytes]], method: str) -> "Span | None":
    """The span of a request, part of the trace that its headers name; what runs in this context from now on is part of
    it. None where spans are not sent."""
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
    """The answer is over; `status` is 0 when it never began."""
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
    """The span of a request to the provider at this address; None where spans are not sent."""
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
    """What tells a server that its work is part of this span."""
    from opentelemetry import propagate, trace

    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    return carrier


def end_model_call(
    span: "Span", *, model: str, error: str, prompt_tokens: int | None, completion_tokens: int | None
) -> None:
    """The provider's answer is over; `error` is empty when it is whole."""
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
