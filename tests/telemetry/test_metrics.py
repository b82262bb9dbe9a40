"""The figures of a process, as Prometheus reads them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import User
from chatbot.telemetry import metrics, scrape
from conversations.models import Generation, Message
from tests.kit.provider import END, Gate, ScriptedProvider, Text, error, stream
from tests.kit.server import ROOT, ChatServer
from tests.support.viewer import Stream
from tests.support.visitor import Visitor

TOKEN = "a token for tests, long enough"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server process whose figures may be seen."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url,
        METRICS_TOKEN=TOKEN,
        CHAT_MODELS="scripted",
        CHAT_RETRIES="1",
        CHAT_REPLIES_PER_USER="1",
    ) as server:
        yield server


def figures(server: ChatServer) -> dict[str, float]:
    """Each sample by its name and labels: `chat_replies_total{status="complete"}`."""
    # Asked by the address of the process, as a scraper does, which is no host name of the site.
    page = Visitor(server).get(metrics.PATH, Host="10.1.2.3:8000", **AUTHORIZATION)
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/plain; version=")
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> str:
    return name + json.dumps(labels, sort_keys=True)


class Difference:
    """What has been counted since it was made."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._before = figures(server)

    def __call__(self, name: str, **labels: str) -> float:
        key = sample(name, **labels)
        return figures(self._server)[key] - self._before.get(key, 0.0)


def say(server: ChatServer, user: User, text: str) -> Message:
    """The reply to a first message, which is to come."""
    Visitor(server, user).post("/", {"message": text})
    return Message.objects.get(parent__content=text)


def watch(server: ChatServer, user: User, reply: Message) -> None:
    with Stream(server, user, reply) as viewer:
        assert viewer.last()[0] == "end"


def test_only_who_has_the_token_sees_the_figures(server: ChatServer) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"bearer{TOKEN}"}, {"Authorization": ""}):
        answer = Visitor(server).get(metrics.PATH, **headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
        assert "chat_" not in answer.text
    assert Visitor(server).ask("POST", metrics.PATH, b"", **AUTHORIZATION).status == 404


@pytest.mark.django_db
def test_without_a_token_in_the_settings_there_is_no_such_page(signed_in: Client) -> None:
    assert not metrics.is_on()
    assert signed_in.get(metrics.PATH, headers={"Authorization": "Bearer "}).status_code == 404


def test_a_reply_is_counted_with_its_tokens_and_times(
    server: ChatServer, module_provider: ScriptedProvider, user: User
) -> None:
    counted = Difference(server)
    watch(server, user, say(server, user, "Hello"))
    stored = Generation.objects.get()
    model = {"model": "scripted"}
    assert counted("chat_replies_total", status="complete", error="", **model) == 1
    assert counted("chat_prompt_tokens_total", **model) == stored.prompt_tokens
    assert counted("chat_completion_tokens_total", **model) == stored.completion_tokens
    assert counted("chat_model_requests_total", error="", **model) == 1
    for name in ("reply_first_token", "reply_duration", "model_first_token"):
        suffix = "_seconds_count"
        assert counted(f"chat_{name}{suffix}", **model) == 1, name
    assert counted("chat_reply_added_latency_seconds_count") == 1
    assert 0 < counted("chat_reply_added_latency_seconds_sum") <= counted("chat_reply_first_token_seconds_sum", **model)
    assert counted("chat_http_requests_total", method="POST", route="conversation-new", status="3xx") == 1
    assert counted("chat_http_request_duration_seconds_count", route="message-stream") == 1


def test_failures_are_counted_by_their_code_and_retries_too(
    server: ChatServer, module_provider: ScriptedProvider, user: User
) -> None:
    counted = Difference(server)
    module_provider.play(error(500, "no"), error(401, "no"))
    watch(server, user, say(server, user, "Hello"))
    assert counted("chat_model_retries_total", error="provider_unavailable") == 1
    assert counted("chat_model_requests_total", error="provider_unavailable", model="scripted") == 1
    assert counted("chat_replies_total", status="failed", error="provider_key", model="scripted") == 1


def test_what_runs_now_is_looked_up_when_it_is_asked_for(
    server: ChatServer, module_provider: ScriptedProvider, user: User
) -> None:
    module_provider.play(stream(Text("One"), Gate("held"), Text("two"), *END))
    reply = say(server, user, "Hello")
    with Stream(server, user, reply) as viewer:
        events = viewer.events()
        while "One" not in next(events)[1]:
            pass
        now = figures(server)
        assert now[sample("chat_replies_running")] == 1
        assert now[sample("chat_replies_queued")] == now[sample("chat_replies_followed")] == 0
        assert now[sample("chat_reply_viewers")] == now[sample("chat_streams")] == 1
        assert now[sample("chat_web_threads")] == 4
        assert now[sample("chat_database_pool_connections_max")] == 8
        assert now[sample("chat_database_pool_waiting")] == 0
        assert now[sample("process_resident_memory_bytes")] > 10_000_000
        refused = say(server, user, "Too many")
        assert Generation.objects.get(pk=refused.pk).error_code == "too_many_replies"
        module_provider.gate("held").open()
        assert [name for name, _ in events][-1] == "end"
    now = figures(server)
    assert now[sample("chat_replies_running")] == now[sample("chat_streams")] == 0
    assert now[sample("chat_replies_total", status="failed", error="too_many_replies", model="other")] == 1


def test_what_visitors_make_up_makes_no_series(server: ChatServer, user: User) -> None:
    figures(server)
    before = len(figures(server))
    for number in range(5):
        Visitor(server, user).get(f"/made-up-{number}/")
        Visitor(server, user).ask(f"METHOD{number}", "/")
    assert len(figures(server)) <= before + 4
    assert metrics.model_label("made up") == metrics.OTHER


async def test_the_figures_ask_nothing_of_the_database(settings: Settings) -> None:
    # A test that has not asked for the database is refused it.
    settings.METRICS_TOKEN = TOKEN
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", AUTHORIZATION["Authorization"].encode())]
    await scrape.serve({"path": metrics.PATH, "method": "GET", "headers": headers}, None, send)
    assert sent[0]["status"] == 200
    assert b"chat_database_pool_waiting" in sent[1]["body"]


def test_each_figure_that_the_documents_ask_for_is_there(server: ChatServer, user: User) -> None:
    watch(server, user, say(server, user, "Hello"))
    shown = {name.partition("{")[0] for name in figures(server)}
    text = (ROOT / "docs" / "operations.md").read_text()
    asked = set(re.findall(r"\b(?:chat|process)_[a-z_]+(?=[\[{)} ]|$)", text, re.MULTILINE))
    assert len(asked) > 8
    assert asked <= shown
