"""Who may do what: every address with every kind of token."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.urls import URLPattern

from accounts import access_tokens, jwts
from accounts.models import User
from chatbot.api import api, document
from conversations.models import CallState, Conversation, Message, ToolCall
from tasks import actions
from tasks.models import Task
from tests.api.program import Program
from tests.factories import PASSWORD, ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, json_answer, reply
from tests.kit.server import ChatServer, session_cookie

pytestmark = pytest.mark.django_db(transaction=True)

JSON = {
    "message": "Hello",
    "title": "New",
    "model": "scripted",
    "messages": [{"role": "user", "content": "Hello"}],
    "decision": "approve",
}
"""Enough for every body below `/api`: fields that one does not know are left alone."""

DOOR = {
    "/v1/chat/completions": {"messages": JSON["messages"]},
    "/v1/responses": {"input": "Hello"},
    "/v1/embeddings": {"model": "embedder", "input": "Hello"},
}
"""The bodies at the door, which refuses them."""

ROUTES = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method, details in operations.items()
    if "security" in details
]
OPEN = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method, details in operations.items()
    if "security" not in details
]
READING = {("GET", path) for method, path in ROUTES if method == "GET"}


def expired(user: User) -> str:
    claims = {"sub": str(user.pk), "exp": datetime.now(UTC) - timedelta(hours=1)}
    return jwt.encode(claims, jwts.secret(), algorithm="HS256")


def forged(user: User) -> str:
    claims = {"sub": str(user.pk), "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode(claims, "somebody else's secret, as long as it has to be", algorithm="HS256")


WRONG: dict[str, Callable[[User], str]] = {
    "no token": lambda user: "",
    "nonsense": lambda user: "nonsense",
    "a forged token": forged,
    "an expired token": expired,
    "a made-up access token": lambda user: f"{access_tokens.PREFIX}{'x' * 43}",
    "a refresh token": lambda user: jwts.issue(user, use=jwts.REFRESH),
}


@pytest.fixture
def answered(user: User) -> Message:
    """The person's answer, in a conversation of its own, with a tool call; the person has a task, too."""
    actions.add(user, title="Secret task")
    answer = exchange(ConversationFactory.create(user=user), "Secret question", "Secret answer")
    ToolCall.objects.create(message=answer, user=user, tool="look_up", state=CallState.DONE, result={"text": "Secret"})
    return answer


def address(path: str, message: Message) -> str:
    return path.format(
        user_id=message.user_id,
        conversation_id=message.conversation_id,
        message_id=message.pk,
        call_id=message.calls.get().pk,
        task_id=Task.objects.filter(user=message.user_id).earliest("created_at").pk,
        model="scripted",
    )


def code(answer: Any) -> str:
    body = answer.json
    return str(body["error"]["code"] if "error" in body else body["code"])


def test_the_matrix_knows_every_address() -> None:
    served = {str(pattern.pattern) for pattern in api.urls[0] if isinstance(pattern, URLPattern)} - {""}
    described = {path.lstrip("/") for _, path in ROUTES + OPEN}
    assert {
        route.replace("<", "{").replace(">", "}").replace("uuid:", "").replace("path:", "") for route in served
    } == described
    assert len(ROUTES) >= 13
    assert {path for _, path in OPEN} == {"/api/token", "/api/token/refresh"}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_token_opens_nothing(server: ChatServer, user: User, answered: Message, kind: str) -> None:
    program = Program(server, user, WRONG[kind](user))
    for method, path in ROUTES:
        answer = program.ask(method, address(path, answered), JSON)
        assert (answer.status, code(answer)) == (401, "invalid_token"), path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert Message.objects.count() == 2
    assert Conversation.objects.get().trashed_at is None
    assert Task.objects.get().title == "Secret task"


def test_cookies_open_nothing(server: ChatServer, user: User, answered: Message) -> None:
    cookie = session_cookie(user, server)
    program = Program(server, user, "")
    for method, path in ROUTES:
        answer = program.ask(method, address(path, answered), JSON, Cookie=f"{cookie['name']}={cookie['value']}")
        assert answer.status == 401, path


def test_anothers_token_finds_nothing(server: ChatServer, stranger: User, answered: Message) -> None:
    for token in (jwts.issue(stranger), access_tokens.make(stranger, name="Theirs")[1]):
        program = Program(server, stranger, token)
        for method, path in ROUTES:
            if "{user_id}" not in path:
                continue
            assert program.ask(method, address(path, answered), JSON).problem == (401, "invalid_token"), path
            own = path.replace("{user_id}", str(stranger.pk))
            answer = program.ask(
                method, address(own, answered), JSON | {"conversation_id": str(answered.conversation_id)}
            )
            if re.search("{(conversation|message|call|task)_id}|/chat$", path):
                assert answer.problem == (404, "not_found"), path
            assert b"Secret" not in answer.body
    assert Message.objects.count() == 2
    assert Task.objects.get(user=answered.user).title == "Secret task"


def test_a_read_only_token_changes_nothing(server: ChatServer, user: User, answered: Message) -> None:
    program = Program(server, user, access_tokens.make(user, name="Reader", is_read_only=True)[1])
    program.wait_for_models()
    for method, path in ROUTES:
        answer = program.ask(method, address(path, answered), JSON)
        if (method, path) in READING:
            assert answer.status == 200, path
        else:
            assert (answer.status, code(answer)) == (403, "read_only_token"), path
    assert Message.objects.count() == 2
    assert Conversation.objects.get().trashed_at is None
    assert Task.objects.get().title == "Secret task"


def test_the_right_token_opens_everything(
    server: ChatServer, user: User, answered: Message, module_provider: ScriptedProvider
) -> None:
    module_provider.always(reply("Hi"))
    module_provider.embeddings(json_answer({"object": "list", "data": []}))
    for token in (jwts.issue(user), access_tokens.make(user, name="Mine")[1]):
        program = Program(server, user, token)
        program.wait_for_models()
        # What ends the conversation comes last.
        for method, path in sorted(ROUTES, key=lambda route: route[0] == "DELETE"):
            answer = program.ask(method, address(path, answered), DOOR.get(path, JSON))
            there_is_nothing_to = path.endswith(("/retry", "/continue", "/decision"))
            says_nothing = method == "DELETE" or path.endswith("/stop")
            adds = (method, path) == ("POST", "/api/{user_id}/tasks")
            expected = 409 if there_is_nothing_to else 204 if says_nothing else 201 if adds else 200
            assert answer.status == expected, (method, path, answer.body)
            assert int(answer.headers["RateLimit-Remaining"]) < int(answer.headers["RateLimit-Limit"])
            assert answer.headers["Cache-Control"] == "no-store"
        Conversation.objects.update(trashed_at=None)
        Task.objects.update(deleted_at=None)


def test_other_methods_are_refused(program: Program) -> None:
    answer = program.ask("PUT", "chat", JSON)
    assert answer.problem == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing/at/all", "/api/somebody/nothing", "/v1", "/v1/nothing"]
)
def test_an_address_that_leads_nowhere_says_so(program: Program, path: str) -> None:
    answer = program.get(path)
    assert (answer.status, code(answer)) == (404, "not_found")
    assert ("error" in answer.json) is path.startswith("/v1")


def test_a_password_gives_tokens_that_are_renewed(server: ChatServer, user: User) -> None:
    nobody = Program(server, user, "")
    given = nobody.post("/api/token", {"email": user.email.upper(), "password": PASSWORD}).json
    assert given["user_id"] == str(user.pk)
    assert Program(server, user, given["access_token"]).get("conversations").status == 200
    renewed = nobody.post("/api/token/refresh", {"refresh_token": given["refresh_token"]}).json
    assert Program(server, user, renewed["access_token"]).get("conversations").status == 200
    for wrong in (given["access_token"], "x", ""):
        assert nobody.post("/api/token/refresh", {"refresh_token": wrong}).status in {401, 422}
    user.set_password("another battery staple")
    user.save(update_fields=("password",))
    assert nobody.post("/api/token/refresh", {"refresh_token": given["refresh_token"]}).problem[0] == 401


def test_passwords_are_not_guessed(server: ChatServer, user: User) -> None:
    nobody = Program(server, user, "")
    answers = [nobody.post("/api/token", {"email": user.email, "password": f"guess {n}"}) for n in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert answers[0].problem == (401, "wrong_credentials")
    assert answers[-1].problem == (429, "too_many_attempts")
    assert answers[-1].headers["Retry-After"]
    unknown = nobody.post("/api/token", {"email": "nobody@example.org", "password": "guess"})
    assert unknown.json == answers[0].json


def test_a_token_has_so_many_requests_a_minute(user: User) -> None:
    with ChatServer(API_REQUESTS_PER_MINUTE="3") as server:
        one = Program(server, user, access_tokens.make(user, name="One")[1])
        other = Program(server, user, access_tokens.make(user, name="Other")[1])
        left = [one.get("conversations").headers["RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = one.get("conversations")
        assert refused.problem == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert other.get("conversations").status == 200


def test_other_sites_pages_are_kept_out_unless_named(server: ChatServer, user: User, program: Program) -> None:
    asked = {"Origin": "https://app.example.org", "Access_Control_Request_Method": "POST"}
    assert "Access-Control-Allow-Origin" not in program.ask("OPTIONS", "chat", **asked).headers
    with ChatServer(CORS_ALLOWED_ORIGINS="https://app.example.org") as open_to_one:
        named = Program(open_to_one, user)
        allowed = named.ask("OPTIONS", "chat", **asked)
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert "authorization" in allowed.headers["Access-Control-Allow-Headers"]
        assert "x-conversation" in allowed.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        other = named.ask("OPTIONS", "chat", **asked | {"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
        page = named.ask("OPTIONS", "/accounts/login/", **asked)
        assert "Access-Control-Allow-Origin" not in page.headers


STAINLESS = "x-stainless-arch,x-stainless-retry-count,x-stainless-of-tomorrow"


def test_openais_client_may_ask_from_a_named_page(user: User) -> None:
    page = {"Origin": "https://app.example.org"}
    asked = page | {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": f"authorization,content-type,openai-beta,openai-project,{STAINLESS},x-evil",
    }
    with ChatServer(CORS_ALLOWED_ORIGINS="https://app.example.org") as server:
        program = Program(server, user)
        headers = program.ask("OPTIONS", "/v1/chat/completions", **asked).headers
        allowed = set(headers["Access-Control-Allow-Headers"].split(", "))
        assert {"openai-beta", "openai-organization", "openai-project", *STAINLESS.split(",")} <= allowed
        assert "x-evil" not in allowed
        for answer in (
            program.get("/v1/nothing", **page),
            program.post("/v1/models", **page),
            Program(server, user, "wrong").get("/v1/models", **page),
            program.post("/v1/chat/completions", **page, Content_Length=str(2**40)),
        ):
            assert answer.status >= 400
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
            assert answer.json["error"]["message"]
        exposed = answer_headers(program, page)
        assert {"x-should-retry", "retry-after", "x-ratelimit-remaining-requests"} <= exposed
        stranger = program.post("/v1/chat/completions", Origin="https://evil.example", Content_Length=str(2**40))
        assert "Access-Control-Allow-Origin" not in stranger.headers


def answer_headers(program: Program, page: dict[str, str]) -> set[str]:
    return set(program.get("/v1/models", **page).headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/api/token"])
def test_what_is_too_large_is_told_as_everything_else_is(server: ChatServer, user: User, path: str) -> None:
    answer = Program(server, user).post(path, Content_Length=str(2**40))
    assert answer.status == 413
    if path.startswith("/v1/"):
        assert answer.json["error"] == {
            "message": "The request is too large.",
            "type": "invalid_request_error",
            "param": None,
            "code": "too_large",
        }
    else:
        assert answer.problem == (413, "too_large")
        assert answer.json["detail"] == "The request is too large."
