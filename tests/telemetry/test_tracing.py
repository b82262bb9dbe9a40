"""Spans, as an OpenTelemetry collector gets them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from accounts.models import User
from conversations.models import Generation, Message
from tests.kit.provider import END, ScriptedProvider, Text, Usage, error, stream
from tests.kit.server import ChatServer
from tests.support.receiver import Receiver
from tests.support.viewer import Stream
from tests.support.visitor import Visitor
from tests.web.test_process import told

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKED, ANSWERED = "saffron from grandmother", "twelve turnips"


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    """A collector."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file to which the module's server logs."""
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def module_server(
    django_db_setup: None, module_provider: ScriptedProvider, collector: Receiver, log: Path
) -> Iterator[ChatServer]:
    """A server process that sends spans."""
    with ChatServer(
        log=log,
        LOG_FORMAT="json",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
        OTEL_BSP_SCHEDULE_DELAY="20",
        OPENAI_BASE_URL=module_provider.url,
        CHAT_MODELS="scripted",
        CHAT_RETRIES="0",
    ) as server:
        yield server


def spans(collector: Receiver) -> list[tuple[str, Span]]:
    """The service's name and each span that has come."""
    found: list[tuple[str, Span]] = []
    for path, body in list(collector.bodies):
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = attributes(resource.resource)["service.name"]
            found += [(service, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def attributes(part: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in part.attributes}


def named(collector: Receiver, name: str, trace: str = TRACE) -> Span:
    """The span of this name in the trace, once it has come."""

    def find() -> Span | None:
        of_trace = (span for _, span in spans(collector) if span.trace_id.hex() == trace)
        return next((span for span in of_trace if span.name == name), None)

    return collector.wait_for(find)


def say(server: ChatServer, user: User, text: str, trace: str) -> Message:
    """The reply to a message, sent as part of a trace, when it has ended."""
    Visitor(server, user).post("/", {"message": text}, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    reply = Message.objects.get(parent__content=text)
    with Stream(server, user, reply) as viewer:
        viewer.last()
    return reply


def test_a_turn_is_one_trace_from_the_proxy_to_the_provider(
    server: ChatServer, module_provider: ScriptedProvider, collector: Receiver, user: User
) -> None:
    module_provider.play(stream(Text(ANSWERED), *END[:-1], Usage(7, 3), *END[-1:]))
    reply = say(server, user, ASKED, TRACE)
    post = named(collector, "POST conversation-new")
    call = named(collector, "chat scripted")
    assert (post.kind, call.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert post.parent_span_id.hex() == "b7ad6b7169203331"
    assert call.parent_span_id == post.span_id
    (asked,) = module_provider.chats
    assert asked.headers["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"

    told_of_call = attributes(call)
    generation = Generation.objects.get(pk=reply.pk)
    assert told_of_call["gen_ai.operation.name"] == "chat"
    assert told_of_call["gen_ai.request.model"] == "scripted"
    assert told_of_call["gen_ai.usage.input_tokens"] == generation.prompt_tokens
    assert told_of_call["gen_ai.usage.output_tokens"] == generation.completion_tokens
    assert told_of_call["server.address"] == "127.0.0.1"
    assert told_of_call["chat.message_id"] == str(reply.pk)
    assert told_of_call["chat.request_id"] == generation.request_id
    assert told_of_call["gen_ai.response.time_to_first_chunk"] > 0
    told_of_post = attributes(post)
    assert told_of_post["http.route"] == "conversation-new"
    assert told_of_post["http.response.status_code"] == 302
    assert told_of_post["user.id"] == str(user.pk)
    assert {service for service, _ in spans(collector)} == {"chatbot"}


def test_a_failed_call_is_an_error_without_what_was_said(
    server: ChatServer, module_provider: ScriptedProvider, collector: Receiver, user: User, log: Path
) -> None:
    trace = TRACE[::-1]
    module_provider.play(error(400, f"cannot answer {ASKED}"))
    say(server, user, f"Again: {ASKED}", trace)
    call = named(collector, "chat scripted", trace)
    assert call.status.code == Status.STATUS_CODE_ERROR
    assert attributes(call)["error.type"] == "provider_refused"
    (failed,) = [line for line in log.read_text().splitlines() if "failed: provider_refused" in line]
    assert json.loads(failed)["trace_id"] == trace
    assert not re.search(b"saffron|turnips|example.org", b"".join(body for _, body in collector.bodies))


@pytest.mark.django_db
def test_what_is_not_configured_is_not_loaded_and_what_is_missing_stops_the_start() -> None:
    assert connection
    loaded, refusal = told(
        """
        import sys
        from chatbot.telemetry import reporting
        from django.conf import settings
        began = reporting.begin()
        loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "sentry_sdk", "google"})
        settings.SENTRY_DSN = "http://key@127.0.0.1/1"
        sys.modules["sentry_sdk"] = None
        return [began, *loaded], reporting.begin()
        """
    )
    assert loaded == [""]
    assert refusal == "SENTRY_DSN is set, but Sentry's package is not installed: install requirements-telemetry.txt."
