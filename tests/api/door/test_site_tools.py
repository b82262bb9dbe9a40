"""The site's own tools at the door: they run here for who asks with `X-Tools: site`, and nothing asks the person."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import openai
import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.models import User
from conversations.models import CallState, Conversation, Generation, Message, Preset, Status, ToolCall, TurnWindow
from tests.api.program import Answer, Program, said
from tests.api.responses.kit import events
from tests.factories import PresetFactory
from tests.kit.provider import Script, ScriptedProvider, Text, calls, error, reply, stream
from tests.kit.provider.script import END, Calls, Close, Done, Finish, Gate, Usage
from tests.kit.server import ChatServer
from tests.support.replying import locked, wait_until
from tools import registry
from tools.models import Policy, ToolPolicy

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "https://page.example"
ROUNDS = 5
REPLY_MAX_CHARS = 5_000
MILK = ("add", {"name": "milk"})
NO_MILK = ("remove", {"name": "milk"})
LIST: tuple[str, dict[str, Any]] = ("list_all", {})
SITE: dict[str, Any] = {"X-Tools": "site"}
COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/responses"
BOTH = pytest.mark.parametrize("path", [COMPLETIONS, RESPONSES])
WHOLE_AND_STREAMED = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
OWN: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SLOW_DOWN = error(429, "Slow down", headers={"Retry-After": "0.01"})


@pytest.fixture(scope="module")
def module_server(django_db_setup: None, module_provider: ScriptedProvider) -> Iterator[ChatServer]:
    """A server whose assistant has tools."""
    with ChatServer(
        OPENAI_BASE_URL=module_provider.url,
        CHAT_TURNS_PER_MINUTE="1000",
        TEST_APPS="tests.support.acting tests.support.guarding",
        CHAT_TOOL_ROUNDS=str(ROUNDS),
        CHAT_REPLY_MAX_CHARS=str(REPLY_MAX_CHARS),
        CORS_ALLOWED_ORIGINS=PAGE,
    ) as server:
        yield server


def ask(program: Program, path: str = COMPLETIONS, headers: dict[str, Any] | None = None, **fields: Any) -> Answer:
    """What the door answers, by default with the site's tools."""
    words = {"input": "Hello"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hello"}]}
    return program.post(path, words | fields, **(SITE if headers is None else headers))


def text_of(path: str, body: Any) -> str:
    """The whole text of an answer."""
    if path == COMPLETIONS:
        return str(body["choices"][0]["message"]["content"])
    parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


def results(provider: ScriptedProvider) -> list[str]:
    """What the model read last of its calls' results."""
    return [message["content"] for message in provider.chats[-1].json["messages"] if message["role"] == "tool"]


def offered(provider: ScriptedProvider, number: int = -1) -> set[str]:
    """Names of the tools that the model was offered."""
    return {tool["function"]["name"] for tool in provider.chats[number].json.get("tools", ())}


def named(pieces: tuple[str, dict[str, Any]], *before_its_end: Gate) -> Script:
    """An answer with one call, which comes before it ends."""
    function = {"name": pieces[0], "arguments": json.dumps(pieces[1])}
    piece = json.dumps({"index": 0, "id": "call_0", "type": "function", "function": function})
    return stream(Calls((piece,)), *before_its_end, Finish("tool_calls"), Usage(), Done())


@BOTH
def test_a_tool_of_the_sites_runs_for_who_asks_for_it(
    path: str, program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK, ("fly", {}), text="I add it."), reply("Done."))
    answer = ask(program, path)
    assert (answer.status, text_of(path, answer.json)) == (200, "I add it.\n\nDone.")
    assert list(Preset.objects.filter(user=user).values_list("name", flat=True)) == ["milk"]
    first, last = module_provider.chats
    assert offered(module_provider, 0) >= {"add", "list_all", "remove", "change"}
    *_, named_calls, milk, unknown = last.json["messages"]
    assert first.json["messages"] == last.json["messages"][:-3]
    assert [call["function"]["name"] for call in named_calls["tool_calls"]] == ["add", "fly"]
    assert (milk["tool_call_id"], milk["content"]) == ("call_0", "Added milk.")
    assert "no tool 'fly'" in unknown["content"]
    assert not Conversation.objects.exists()


@BOTH
def test_the_client_is_told_of_no_call(path: str, program: Program, module_provider: ScriptedProvider) -> None:
    for streams in (False, True):
        module_provider.play(calls(MILK, text="I add it."), reply("Done."))
        answer = ask(program, path, stream=streams)
        assert answer.status == 200
        for word in (b'"tool_calls', b"function_call", b"call_0", b"milk"):
            assert word not in answer.body


@BOTH
def test_the_tokens_of_all_rounds_are_summed_and_counted(
    path: str, program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK), calls(LIST), reply("One thing"))
    usage = ask(program, path).json["usage"]
    assert sum(usage[name] for name in usage if name in {"prompt_tokens", "input_tokens"}) == 21
    assert usage["total_tokens"] == 21 + 5 + 5 + 2
    window = TurnWindow.objects.get(pk=program.user.pk)
    assert (window.day_messages, window.day_tokens) == (1, usage["total_tokens"])


def test_all_rounds_are_streamed_as_one_answer(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(
        stream(Text("I add"), Gate("more"), Text(" it."), *calls(MILK).steps), stream(Text("\n Done"), Text("."), *END)
    )
    chunks = official.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Add milk"}],
        stream=True,
        stream_options={"include_usage": True},
        extra_headers=SITE,
    )
    text, reasons, usage = "", [], None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            assert not choice.delta.tool_calls
            reasons += [choice.finish_reason] if choice.finish_reason else []
        if text == "I add":
            module_provider.gate("more").open()
    assert (text, reasons) == ("I add it.\n\nDone.", ["stop"])
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (14, 10)


def test_a_streamed_response_has_one_message(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(calls(MILK, text="I add it."), reply("Done."))
    told = events(ask(program, RESPONSES, stream=True).body)
    assert "".join(event["delta"] for event in told if event["type"].endswith("text.delta")) == "I add it.\n\nDone."
    (item,) = told[-1]["response"]["output"]
    assert (told[-1]["type"], item["type"]) == ("response.completed", "message")
    assert told[-1]["response"]["usage"]["input_tokens"] == 14


@BOTH
@WHOLE_AND_STREAMED
def test_without_the_header_no_tool_is_offered_and_none_runs(
    path: str,
    streams: bool,  # noqa: FBT001
    program: Program,
    module_provider: ScriptedProvider,
) -> None:
    module_provider.play(calls(MILK, text="I add it."))
    assert ask(program, path, {}, stream=streams).status == 200
    assert "tools" not in module_provider.chats[-1].json
    assert len(module_provider.chats) == 1
    assert not ToolCall.objects.exists()
    assert not Preset.objects.exists()


def test_a_call_is_a_row_of_its_owner_without_a_reply(
    program: Program, others_program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK), reply("Done."))
    ask(program)
    call = ToolCall.objects.get()
    assert (call.user, call.message, call.origin) == (user, None, "door")
    assert (call.tool, call.state, call.decision, call.result) == ("add", "done", "policy", {"text": "Added milk."})
    assert call.started_at
    assert call.finished_at
    (listed,) = program.get("tool-calls").json["items"]
    assert (listed["id"], listed["message_id"], listed["conversation_id"]) == (str(call.pk), None, None)
    assert others_program.get("tool-calls").json["items"] == []
    user.delete()
    assert not ToolCall.objects.exists()


def test_a_tool_runs_for_the_tokens_person_only(
    server: ChatServer, others_program: Program, user: User, stranger: User, module_provider: ScriptedProvider
) -> None:
    PresetFactory.create(user=user, name="secret")
    module_provider.play(calls(MILK), calls(LIST), reply("Milk."))
    assert ask(others_program).status == 200
    assert "milk" in results(module_provider)[-1]
    assert "secret" not in results(module_provider)[-1]
    assert Preset.objects.get(name="milk").user == stranger
    assert ask(Program(server, user, token="")).status == 401
    assert len(module_provider.chats) == 3


@WHOLE_AND_STREAMED
def test_what_asks_is_refused_in_words_and_never_runs(
    streams: bool,  # noqa: FBT001
    program: Program,
    user: User,
    module_provider: ScriptedProvider,
) -> None:
    module_provider.play(calls(MILK, NO_MILK), reply("It is still there."))
    answer = ask(program, stream=streams)
    assert answer.status == 200
    added, removed = results(module_provider)
    assert added == "Added milk."
    assert "has to be asked" in removed
    assert Preset.objects.filter(user=user, name="milk").exists()
    refused = ToolCall.objects.get(tool="remove")
    assert (refused.state, refused.decision, refused.started_at) == ("failed", "", None)
    assert program.get("tool-calls?status=waiting").json["items"] == []


def test_an_administrators_word_counts(program: Program, user: User, module_provider: ScriptedProvider) -> None:
    ToolPolicy.decide("add", Policy.ASK, user)
    ToolPolicy.decide("remove", Policy.ALLOW, user)
    ToolPolicy.decide("list_all", Policy.NEVER, user)
    PresetFactory.create(user=user, name="milk")
    module_provider.play(calls(("add", {"name": "bread"}), NO_MILK, LIST), reply("Done."))
    assert ask(program).status == 200
    bread, milk, never = results(module_provider)
    assert "has to be asked" in bread
    assert milk == "Removed 1."
    assert "no tool 'list_all'" in never
    assert not Preset.objects.exists()


@pytest.mark.parametrize(("policy", "words"), [(Policy.ASK, "has to be asked"), (Policy.NEVER, "turned it off")])
def test_what_is_decided_while_the_model_speaks_counts_too(
    policy: Policy, words: str, program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(named(MILK, Gate("decided")), reply("I could not."))
    connection = program.begin("POST", COMPLETIONS, {"messages": [{"role": "user", "content": "Add milk"}]}, **SITE)
    module_provider.gate("decided").wait_reached()
    ToolPolicy.decide("add", policy, user)
    module_provider.gate("decided").open()
    assert connection.getresponse().status == 200
    connection.close()
    assert words in results(module_provider)[-1]
    assert not Preset.objects.exists()
    assert ToolCall.objects.get().state == CallState.FAILED


def test_a_permission_that_is_lost_before_the_call_stops_it(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    user.user_permissions.add(Permission.objects.get(codename="add_preset"))
    module_provider.play(named(("publish", {"name": "news"}), Gate("lost")), reply("I could not."))
    connection = program.begin("POST", COMPLETIONS, {"messages": [{"role": "user", "content": "Publish"}]}, **SITE)
    module_provider.gate("lost").wait_reached()
    assert "publish" in offered(module_provider)
    user.user_permissions.clear()
    module_provider.gate("lost").open()
    assert connection.getresponse().status == 200
    connection.close()
    assert "does not have the permission" in results(module_provider)[-1]
    assert not Preset.objects.exists()


@WHOLE_AND_STREAMED
def test_a_model_that_comes_to_no_end_is_stopped(
    streams: bool,  # noqa: FBT001
    program: Program,
    module_provider: ScriptedProvider,
) -> None:
    module_provider.play(*(calls(("add", {"name": f"milk {number}"})) for number in range(ROUNDS + 1)))
    answer = ask(program, stream=streams)
    assert (answer.status, answer.json["error"]["code"]) == (502, "too_many_rounds")
    # A client that asks again by itself would do everything once more.
    assert answer.headers["x-should-retry"] == "false"
    assert len(module_provider.chats) == Preset.objects.count() == ROUNDS


def test_a_call_that_is_repeated_is_stopped(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.always(calls(LIST))
    answer = ask(program)
    assert (answer.status, answer.json["error"]["code"]) == (502, "repeated_calls")
    assert len(module_provider.chats) == 4
    assert "with the same result" in results(module_provider)[-1]


@WHOLE_AND_STREAMED
@pytest.mark.parametrize(
    "long", [calls(("add", {"name": "m" * REPLY_MAX_CHARS})), reply("word " * REPLY_MAX_CHARS)], ids=["call", "text"]
)
def test_a_round_without_an_end_is_cut(
    long: Script,
    streams: bool,  # noqa: FBT001
    program: Program,
    module_provider: ScriptedProvider,
) -> None:
    module_provider.play(calls(MILK, text="I add it."), long)
    answer = ask(program, stream=streams)
    assert answer.status == 200
    assert b'"finish_reason": "length"' in answer.body
    assert ToolCall.objects.count() == 1


@pytest.mark.parametrize("failure", [SLOW_DOWN, error(500, "Broken"), stream(Close())], ids=["429", "500", "cut"])
def test_after_a_call_a_failure_is_not_to_be_repeated(
    failure: Script, program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK), failure)
    answer = ask(program)
    assert answer.status >= 400
    assert answer.headers["x-should-retry"] == "false"
    module_provider.play(failure)
    before = ask(program)
    assert (before.status, before.headers["x-should-retry"]) == (answer.status, None)


def test_a_failure_after_text_ends_the_stream_with_an_error(
    official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK, text="I add it."), error(500, "Broken"))
    chunks = official.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Add milk"}], stream=True, extra_headers=SITE
    )
    with pytest.raises(openai.APIError):
        list(chunks)
    assert ToolCall.objects.get().state == CallState.DONE


def test_a_model_that_has_nothing_to_add_has_answered(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(calls(MILK, text="I add it."), stream(*END))
    body = ask(program).json
    assert (text_of(COMPLETIONS, body), body["choices"][0]["finish_reason"]) == ("I add it.", "stop")


@BOTH
def test_only_the_round_whose_text_was_reasoning_loses_it(
    path: str, program: Program, module_provider: ScriptedProvider
) -> None:
    thought = stream(Text("Is it there? Yes."), Text("</think>"), Text("Done."), *END)
    module_provider.play(calls(MILK, text="I add it."), thought)
    body = ask(program, path).json
    assert text_of(path, body) == "I add it.\n\nDone."
    reasoning = body["choices"][0]["message"]["reasoning_content"] if path == COMPLETIONS else json.dumps(body)
    assert "Is it there? Yes." in reasoning


def test_a_model_that_takes_no_tools_answers_without(user: User, module_provider: ScriptedProvider) -> None:
    module_provider.reset()
    module_provider.play(error(400, "This model does not support tools"), reply("Hi"), reply("Hi again"))
    # The server remembers what the model refused.
    with ChatServer(OPENAI_BASE_URL=module_provider.url, TEST_APPS="tests.support.acting") as server:
        program = Program(server, user)
        assert text_of(COMPLETIONS, ask(program, parallel_tool_calls=True).json) == "Hi"
        assert [bool(offered(module_provider, number)) for number in range(2)] == [True, False]
        assert text_of(COMPLETIONS, ask(program, parallel_tool_calls=True).json) == "Hi again"
    for request in module_provider.chats[1:]:
        assert not {"tools", "parallel_tool_calls"} & request.json.keys()


def test_a_client_that_goes_away_stops_the_running_tool(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    preset = PresetFactory.create(user=user, name="milk")
    for streams in (False, True):
        module_provider.play(calls(("change", {"name": "milk"}), text="I change it."))
        asked = len(module_provider.chats)
        with locked(Preset.objects.all()):
            connection = program.begin(
                "POST",
                COMPLETIONS,
                {"messages": [{"role": "user", "content": "Change it"}], "stream": streams},
                **SITE,
            )
            wait_until(lambda: ToolCall.objects.filter(state=CallState.RUNNING).exists())
            if streams:
                connection.getresponse().close()
            connection.close()
            wait_until(lambda: not ToolCall.objects.filter(state=CallState.RUNNING).exists())
        stopped = ToolCall.objects.latest("created_at")
        assert (stopped.state, stopped.decision) == (CallState.FAILED, "stopped")
        assert stopped.error.startswith("It was stopped while it ran.")
        assert stopped.finished_at
        preset.refresh_from_db()
        assert preset.system_prompt != "Changed"
        assert len(module_provider.chats) == asked + 1


def test_a_call_whose_process_was_killed_is_ended_later(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    rows = {"user": user, "origin": "door", "created_at": long_ago, "started_at": long_ago}
    running = ToolCall.objects.create(tool="add", state=CallState.RUNNING, **rows)
    gone = ToolCall.objects.create(tool="no longer there", state=CallState.RUNNING, **rows)
    recent = ToolCall.objects.create(user=user, origin="door", tool="add", state=CallState.RUNNING)
    module_provider.play(calls(MILK), reply("Done."))
    assert ask(program).status == 200
    for call in (running, gone, recent):
        call.refresh_from_db()
    assert [call.state for call in (running, gone, recent)] == ["failed", "unknown", "running"]
    assert program.get("tool-calls?status=waiting").json["items"] == []


@BOTH
@pytest.mark.parametrize(
    ("name", "value"),
    [("tools", [OWN]), ("tool_choice", "required"), ("functions", [OWN["function"]]), ("function_call", "auto")],
)
def test_a_programs_own_tools_are_refused_beside_the_sites(
    path: str, name: str, value: Any, program: Program, module_provider: ScriptedProvider
) -> None:
    if path == RESPONSES and name == "tools":
        value = [{"type": "function"} | OWN["function"]]
    answer = ask(program, path, **{name: value})
    assert (answer.status, answer.json["error"]["param"]) == (400, name)
    assert not module_provider.chats


@BOTH
@pytest.mark.parametrize("value", ["", "all", "Site", "site, mine"])
def test_another_value_of_the_header_is_refused_in_words(
    path: str, value: str, program: Program, module_provider: ScriptedProvider
) -> None:
    answer = ask(program, path, {"X-Tools": value})
    assert (answer.status, answer.json["error"]["param"]) == (400, "X-Tools")
    assert "must be site" in answer.json["error"]["message"]
    assert not module_provider.chats


def test_a_page_may_send_the_header(program: Program) -> None:
    sent = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-tools"}
    answer = program.ask("OPTIONS", COMPLETIONS, **sent)
    assert "x-tools" in answer.headers["Access-Control-Allow-Headers"].split(", ")


def keep(program: Program, **headers: str) -> Answer:
    """What the door answers to a request whose turn is stored."""
    return ask(program, headers=SITE | {"X-Conversation": "new"} | headers)


def test_a_kept_answer_has_its_calls_like_any_reply(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(calls(MILK, NO_MILK, text="I add it."), reply("Done."))
    answers = [keep(program, **{"Idempotency-Key": "one"}) for _ in range(2)]
    for answer in answers:
        assert text_of(COMPLETIONS, answer.json) == "I add it.\n\nDone."
        assert answer.json["usage"]["prompt_tokens"] == 14
    message = Message.objects.get(role="assistant")
    added, refused = ToolCall.objects.in_order()
    assert (added.message, added.origin, added.state) == (message, "chat", "done")
    assert (refused.state, "has to be asked" in refused.error) == ("failed", True)
    assert message.tool_calls
    assert said(user) == ["Hello", "I add it.\n\nDone."]
    assert Preset.objects.get().name == "milk"
    assert all(request.json["tools"] != "site" for request in module_provider.chats)


def test_a_kept_answer_streams_all_rounds(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(calls(MILK, text="I add it."), reply("Done."))
    answer = ask(program, headers=SITE | {"X-Conversation": "new"}, stream=True)
    chunks = [json.loads(line[6:]) for line in answer.body.decode().split("\n\n") if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "I add it.\n\nDone."
    assert not any("tool_calls" in delta for delta in deltas)


def test_a_kept_answer_has_no_tools_without_the_header(program: Program, module_provider: ScriptedProvider) -> None:
    module_provider.play(calls(MILK, text="I add it."))
    ask(program, headers={"X-Conversation": "new"})
    assert "tools" not in module_provider.chats[-1].json
    assert not ToolCall.objects.exists()


def test_a_kept_answer_without_a_tool_to_offer_is_answered_without(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    # Those of the installed apps, and those of the server's app for tests.
    for name in (*(tool.name for tool in registry.all_tools()), "add", "list_all", "remove", "change"):
        ToolPolicy.decide(name, Policy.NEVER, user)
    module_provider.play(reply("Hi"), reply("Hi"))
    for answer in (keep(program), ask(program)):
        assert text_of(COMPLETIONS, answer.json) == "Hi"
        assert "tools" not in module_provider.chats[-1].json


def test_a_kept_answer_that_failed_is_made_again_with_the_sites_tools(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(error(401, "Wrong key"), calls(NO_MILK), reply("Hi"))
    assert keep(program).status >= 400
    failed = Generation.objects.get()
    assert failed.status == Status.FAILED
    assert program.post(f"messages/{failed.pk}/retry").json["response"] == "Hi"
    assert "has to be asked" in results(module_provider)[-1]


def test_a_kept_answer_that_waits_for_its_person_says_so(
    program: Program, user: User, module_provider: ScriptedProvider
) -> None:
    once = {"Idempotency-Key": "one"}
    module_provider.play(calls(MILK), reply("Done."))
    assert keep(program, **once).status == 200
    reply_id = Generation.objects.get().pk
    # As after a crash of the process in the middle of a call that cannot be repeated.
    ToolCall.objects.create(user=user, message_id=reply_id, round=1, tool="send", state=CallState.UNKNOWN)
    later = timezone.now() + timedelta(hours=1)
    Generation.objects.update(status=Status.WAITING, waiting_until=later, finished_at=None)
    for streams in (False, True):
        answer = ask(program, headers=SITE | {"X-Conversation": "new"} | once, stream=streams)
        assert (answer.status, answer.json["error"]["code"]) == (409, "reply_waits")
        assert answer.headers["x-should-retry"] == "false"
