"""Refresh tokens: each is good once, and all that came of a sign-in end together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.db import connection

from accounts import callers, jwts, refresh_tokens
from accounts.jwts import InvalidToken
from accounts.models import RefreshToken, User
from tests.api.program import Program
from tests.factories import PASSWORD
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)


def refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        refresh_tokens.renew(token)


def test_a_token_is_good_once_and_gives_the_next_one(server: ChatServer, user: User) -> None:
    nobody = Program(server, user, "")
    credentials = {"email": user.email, "password": PASSWORD}
    given: Any = nobody.post("/api/token", credentials, User_Agent="curl/8").json
    tokens = {given["refresh_token"]}
    for _ in range(3):
        given = nobody.post("/api/token/refresh", {"refresh_token": given["refresh_token"]}).json
        tokens.add(given["refresh_token"])
        assert Program(server, user, given["access_token"]).get("conversations").status == 200
    assert len(tokens) == 4
    assert RefreshToken.objects.get().agent == "curl/8"


def test_a_used_token_ends_all_that_came_of_its_sign_in(server: ChatServer, user: User) -> None:
    nobody = Program(server, user, "")
    stolen: Any = nobody.post("/api/token", {"email": user.email, "password": PASSWORD}).json
    other: Any = nobody.post("/api/token", {"email": user.email, "password": PASSWORD}).json
    thiefs: Any = nobody.post("/api/token/refresh", {"refresh_token": stolen["refresh_token"]}).json
    assert nobody.post("/api/token/refresh", {"refresh_token": stolen["refresh_token"]}).problem == (
        401,
        "invalid_token",
    )
    assert nobody.post("/api/token/refresh", {"refresh_token": thiefs["refresh_token"]}).problem[0] == 401
    for ended in (stolen, thiefs):
        assert Program(server, user, ended["access_token"]).get("conversations").problem == (401, "invalid_token")
    assert Program(server, user, other["access_token"]).get("conversations").status == 200
    assert nobody.post("/api/token/refresh", {"refresh_token": other["refresh_token"]}).status == 200


def test_of_two_that_show_it_at_the_same_time_one_is_too_late(user: User) -> None:
    token = refresh_tokens.begin(user, agent="curl")["refresh_token"]

    def renew() -> bool:
        try:
            refresh_tokens.renew(token)
        except InvalidToken:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(lambda _: renew(), range(8))) <= 1


def test_a_revoked_sign_in_ends_its_tokens_at_once(user: User) -> None:
    pair = refresh_tokens.begin(user, agent="curl")
    caller = callers.identify(pair["access_token"])
    assert caller.is_welcome()
    RefreshToken.objects.all().delete()
    assert not caller.is_welcome()
    with pytest.raises(InvalidToken):
        callers.identify(pair["access_token"])
    refused(pair["refresh_token"])


def test_a_token_without_a_sign_in_gives_nothing(user: User) -> None:
    refused(jwts.issue(user, use=jwts.REFRESH))
    for program in ("x", "", 7, None, [1]):
        claims = {"sub": str(user.pk), "token_use": "refresh", "jti": "x", "program": program, "stamp": 0}
        refused(jwt.encode(claims | {"exp": 4_000_000_000}, jwts.secret(), algorithm="HS256"))


def test_the_programs_of_a_person_are_bounded(user: User, stranger: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh_tokens, "PROGRAMS_MAX", 3)
    others = refresh_tokens.begin(stranger, agent="curl")
    pairs = [refresh_tokens.begin(user, agent="curl") for _ in range(3)]
    _, pairs[0] = refresh_tokens.renew(pairs[0]["refresh_token"])
    pairs.append(refresh_tokens.begin(user, agent="curl"))
    assert RefreshToken.objects.filter(user=user).count() == 3
    refused(pairs[1]["refresh_token"])
    for pair in (pairs[0], pairs[2], pairs[3], others):
        refresh_tokens.renew(pair["refresh_token"])


def test_one_that_is_over_is_forgotten(user: User) -> None:
    refresh_tokens.begin(user, agent="curl")
    RefreshToken.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    refresh_tokens.begin(user, agent="a\0b" * 200)
    assert RefreshToken.objects.get().agent.startswith("ab")
