"""What answers tell browsers, and what they do not tell."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from chatbot.core.environment import Environment
from conversations.models import Conversation, Role
from tests.factories import PresetFactory, UserFactory
from tests.kit.server import ROOT, ChatServer
from tests.support.addresses import filled, routes
from tests.support.visitor import Visitor


@pytest.mark.django_db
def test_nobody_keeps_a_page_behind_sign_in(client: Client, conversation: Conversation) -> None:
    boss = Client()
    boss.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    owner = Client()
    owner.force_login(conversation.user)
    message = conversation.messages.get(role=Role.USER)
    preset = PresetFactory.create(user=conversation.user)
    keys = {"c/": conversation.pk, "messages/": message.pk, "presets/": preset.pk}
    walked = set()
    for route, _ in routes():
        key = next((key for begin, key in keys.items() if route.startswith(begin)), conversation.pk)
        address = filled(route, key=str(key), other=str(conversation.pk))
        asked = client.get(address)
        is_behind = asked.status_code == 302 and "/login/" in asked["Location"]
        for who in (boss, owner) if is_behind else ():
            answer = who.get(address)
            walked.add((route, answer.status_code))
            assert "no-store" in answer.get("Cache-Control", ""), (address, answer.status_code)
    assert len([route for route, status in walked if status == 200]) > 30


@pytest.mark.django_db
def test_what_everybody_may_see_may_be_kept(client: Client, settings: Settings) -> None:
    settings.SECURITY_CONTACT = ["mailto:security@example.org"]
    for path in ("healthz", "readyz", ".well-known/security.txt"):
        answer = client.get(f"/{path}")
        assert answer.status_code == 200
        assert "no-store" not in answer.get("Cache-Control", "")


def test_every_answer_forbids_what_no_page_needs_and_names_no_server(server: ChatServer, owner: Visitor) -> None:
    asked = {
        "page": owner.get("/"),
        "public page": Visitor(server).get("/accounts/login/"),
        "redirect": Visitor(server).get("/"),
        "nothing": owner.get("/nothing/"),
        "file": owner.get("/static/favicon.svg"),
        "no file": owner.get("/static/nothing.css"),
        "API": owner.get("/api/openapi.json"),
        "refusal of the API": Visitor(server).get("/v1/models"),
        "refusal": owner.ask("POST", "/", None, Content_Length="999999999"),
        "health": Visitor(server).get("/healthz"),
    }
    for name, answer in asked.items():
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", name
        assert "Access-Control-Allow-Origin" not in answer.headers, name
        assert answer.headers["Server"] is None, name
        if "file" not in name:
            assert "camera=()" in answer.headers["Permissions-Policy"], name
    assert asked["file"].status == 200
    assert "no-store" not in (asked["file"].headers["Cache-Control"] or "")


@pytest.mark.django_db
def test_whom_to_tell_of_a_vulnerability_is_set(client: Client, settings: Settings) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404
    settings.SECURITY_CONTACT = ["mailto:security@example.org", "https://example.org/security"]
    answer = client.get("/.well-known/security.txt")
    assert answer["Content-Type"].startswith("text/plain")
    lines = answer.content.decode().splitlines()
    assert lines[:2] == ["Contact: mailto:security@example.org", "Contact: https://example.org/security"]
    assert "Canonical: http://testserver/.well-known/security.txt" in lines
    (ends,) = [line.removeprefix("Expires: ") for line in lines if line.startswith("Expires: ")]
    assert timedelta(days=100) < datetime.fromisoformat(ends) - datetime.now(UTC) < timedelta(days=365)


def test_a_contact_is_an_address_of_a_person_or_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Environment(ROOT / "missing")
    monkeypatch.setenv("THE_SETTING", "security@example.org, https://example.org/security")
    assert env.contacts("THE_SETTING") == ["mailto:security@example.org", "https://example.org/security"]
    for wrong in ("the administrator", "http://example.org", "a@b\nContact: c@d"):
        monkeypatch.setenv("THE_SETTING", wrong)
        with pytest.raises(ImproperlyConfigured, match="THE_SETTING"):
            env.contacts("THE_SETTING")


def test_a_policy_says_how_to_tell_of_a_vulnerability() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "SECURITY_CONTACT" in text
    for name in re.findall(r"\]\(([\w/.]+)\)", text):
        assert (ROOT / name).is_file(), name
