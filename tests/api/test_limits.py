"""How much a person may use through the API: what a program is told, and what counts that is kept nowhere."""

from datetime import UTC, datetime, timedelta

import openai
import pytest
from django.utils import timezone

from accounts import access_tokens
from accounts.models import User
from conversations.models import Conversation, Period, TurnWindow, UsageLimit
from tests.api.program import Program, said
from tests.kit.provider import ScriptedProvider, error, reply, stream
from tests.kit.provider.script import END, Gate, Text
from tests.kit.server import ChatServer
from tests.support.replying import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def used(user: User) -> tuple[int, int]:
    """Messages and tokens of today."""
    window = TurnWindow.objects.get(pk=user.pk)
    return window.day_messages, window.day_tokens


def client(server: ChatServer, user: User) -> openai.OpenAI:
    """OpenAI's client with a token of the person's; it asks again by itself, as it does for everybody."""
    _, token = access_tokens.make(user, name="OpenAI's client")
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, timeout=60)


def test_a_program_is_told_what_is_used_up_and_when_it_ends(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.always(reply("Good day"))
    UsageLimit.objects.create(messages=1)
    assert program.say("Hello").status == 200
    refused = program.say("Again")
    assert refused.problem == (429, "usage_limit_reached")
    assert refused.json["detail"].startswith("You have used your 1 message for today. You can write again at ")
    assert {name: refused.json[name] for name in ("period", "unit", "limit", "used")} == {
        "period": "day",
        "unit": "messages",
        "limit": 1,
        "used": 1,
    }
    end = datetime.fromisoformat(refused.json["resets_at"])
    midnight = timezone.localtime(end, timezone.get_default_timezone())
    assert (midnight.hour, midnight.minute, end.tzinfo) == (0, 0, UTC)
    assert timedelta(0) <= end - timezone.now() <= timedelta(seconds=int(refused.headers["Retry-After"]))
    assert said(program.user) == ["Hello", "Good day"]
    UsageLimit.objects.update(messages=0)
    refused = program.say("Again")
    assert refused.problem == (429, "usage_limit_reached")
    assert refused.headers["Retry-After"] is None
    assert refused.json["resets_at"] is None


def test_a_completion_that_is_kept_nowhere_counts_and_is_refused_past_the_limit(
    server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.always(reply("Good day"))
    UsageLimit.objects.create(tokens=1, period=Period.MONTH)
    with client(server, user) as asked:
        request = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        usage = asked.chat.completions.create(**request).usage  # type: ignore[call-overload]
        assert used(user) == (1, usage.total_tokens)
        for named in ({}, {"metadata": {"conversation": "new"}}):
            with pytest.raises(openai.RateLimitError) as refusal:
                asked.chat.completions.create(**request, **named)  # type: ignore[call-overload]
            assert refusal.value.code == "usage_limit_reached"
            assert refusal.value.type == "rate_limit_error"
            assert "your 1 token for this month. You can write again" in refusal.value.message
    assert used(user)[0] == 1
    assert len(module_provider.chats) == 1
    assert not Conversation.objects.exists()


def test_an_answer_that_is_broken_off_counts_what_came_and_one_that_never_began_nothing(
    server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(error(400, "no"), stream(Text("One"), Gate("never"), *END))
    with client(server, user).with_options(max_retries=0) as asked:
        request = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        with pytest.raises(openai.APIStatusError):
            asked.chat.completions.create(**request)  # type: ignore[call-overload]
        assert used(user) == (1, 0)
        with asked.chat.completions.create(**request) as events:  # type: ignore[call-overload]
            next(chunk for chunk in events if chunk.choices and chunk.choices[0].delta.content)
        assert module_provider.chats[1].wait_over(60)
        wait_until(lambda: used(user)[1] > 0)
    assert used(user) == (2, 10 + 10)
