"""The official client of OpenAI at the door that is made for it."""

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from accounts import access_tokens
from accounts.models import AccessToken, User
from conversations.models import Conversation, Message
from tests.api.program import Program, said
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, reply, stream
from tests.kit.provider.script import END, Close, Gate, Reasoning, Text
from tests.kit.server import ChatServer

pytestmark = pytest.mark.django_db(transaction=True)


def ask(official: openai.OpenAI, text: str = "Hello", **more: object) -> openai.types.chat.ChatCompletion:
    made = official.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": text}],
        **more,  # type: ignore[call-overload] # tests give what they like
    )
    assert isinstance(made, openai.types.chat.ChatCompletion)
    return made


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_completion_is_answered_and_kept_nowhere(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Good day"))
    answer = official.chat.completions.create(
        model="auto",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": [{"type": "text", "text": "Say it "}, {"type": "text", "text": "again"}]},
        ],
        temperature=0.5,
        max_tokens=20,
        stop=["\n\n"],
    )
    assert answer.choices[0].message.content == "Good day"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.total_tokens > 0
    assert not Conversation.objects.exists()
    sent = module_provider.wait_for_requests()[0].json
    assert [(message["role"], message["content"]) for message in sent["messages"]] == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Say it again"),
    ]
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.5, 20, ["\n\n"])


def test_a_completion_streams_as_it_is_made(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Reasoning("Hm"), Text("One"), Gate("more"), Text(" two"), *END))
    chunks: list[ChatCompletionChunk] = []
    with official.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Count"}],
        stream=True,
        stream_options={"include_usage": True},
    ) as events:
        for chunk in events:
            chunks.append(chunk)
            if text_of(chunks) == "One":
                module_provider.gate("more").open()
    assert text_of(chunks) == "One two"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage
    assert not Conversation.objects.exists()


def test_what_a_client_no_longer_wants_is_not_made(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("One"), Gate("never"), *END))
    with official.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Count"}], stream=True
    ) as events:
        next(chunk for chunk in events if chunk.choices and chunk.choices[0].delta.content)
    assert module_provider.chats[0].wait_over(60)


@pytest.mark.parametrize("streams", [False, True])
def test_a_completion_is_kept_when_asked(
    official: openai.OpenAI,
    user: User,
    module_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001
) -> None:
    module_provider.play(reply("Hello, Ada"), reply("Ada"))
    if streams:
        raw = official.chat.completions.with_raw_response.create(
            model="auto",
            messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "I am Ada"}],
            metadata={"conversation": "new"},
            stream=True,
        )
        assert text_of(list(raw.parse())) == "Hello, Ada"
    else:
        whole = official.chat.completions.with_raw_response.create(
            model="auto",
            messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "I am Ada"}],
            metadata={"conversation": "new"},
        )
        assert whole.parse().choices[0].message.content == "Hello, Ada"
    conversation = Conversation.objects.get()
    assert conversation.system_prompt == "Be kind."
    again = ask(official, "Who am I?", extra_headers={"X-Conversation": str(conversation.pk)})
    assert again.choices[0].message.content == "Ada"
    assert said(user) == ["I am Ada", "Hello, Ada", "Who am I?", "Ada"]
    assert [message["content"] for message in module_provider.chats[1].json["messages"]][-3:] == [
        "I am Ada",
        "Hello, Ada",
        "Who am I?",
    ]


def test_a_conversation_keeps_its_own_history(official: openai.OpenAI, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Hi").conversation
    with pytest.raises(openai.BadRequestError):
        official.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": "Hello"}, {"role": "user", "content": "More"}],
            metadata={"conversation": str(conversation.pk)},
        )
    for other in (str(exchange(ConversationFactory.create(), "Secret", "x").conversation_id), "nonsense"):
        with pytest.raises(openai.NotFoundError):
            ask(official, metadata={"conversation": other})
    assert Message.objects.count() == 4


def test_the_models_are_those_of_the_site(
    program: Program, official: openai.OpenAI, module_provider: ScriptedProvider
) -> None:
    program.wait_for_models()
    names = [model.id for model in official.models.list()]
    assert set(names) == set(module_provider.models)
    assert official.models.retrieve(names[0]).id == names[0]
    with pytest.raises(openai.NotFoundError) as refusal:
        official.models.retrieve("org/none-such")
    assert refusal.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model="none-such", messages=[{"role": "user", "content": "Hello"}])


def test_a_failure_after_it_is_raised_by_the_stream(official: openai.OpenAI, module_provider: ScriptedProvider) -> None:
    module_provider.play(stream(Text("Half an"), Close()))
    events = official.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    with pytest.raises(openai.APIError) as refusal:
        list(events)
    assert refusal.value.code == "provider_broke_off"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": " "}], "metadata": {"conversation": "new"}},
        {"messages": [{"role": "user", "content": "x" * 100_001}]},
        {"messages": [{"role": "assistant", "content": "Hi"}], "metadata": {"conversation": "new"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "user", "content": "Hi"}], "temperature": 3},
        {"messages": [{"role": "user", "content": "Hi"}], "n": 2},
        {"messages": [{"role": "user", "content": "Hi"}], "tools": ["look"]},
    ],
)
def test_what_cannot_be_asked_is_refused(official: openai.OpenAI, body: dict[str, object]) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        official.post("/chat/completions", body=body, cast_to=object)
    assert refusal.value.code == "invalid"


def test_a_wrong_token_is_told(server: ChatServer, user: User, official: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        ask(official.with_options(api_key="wrong"))
    AccessToken.objects.update(is_read_only=True)
    with pytest.raises(openai.PermissionDeniedError):
        ask(official)
    Program(server, user).wait_for_models()
    assert list(official.models.list())


def test_the_limits_of_replies_hold_here_too(user: User, module_provider: ScriptedProvider) -> None:
    module_provider.always(stream(Text("One"), Gate("end"), *END))
    _, token = access_tokens.make(user, name="OpenAI's client")
    with (
        ChatServer(OPENAI_BASE_URL=module_provider.url, CHAT_REPLIES_PER_USER="2", CHAT_TURNS_PER_MINUTE="3") as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0, timeout=60) as official,
    ):
        open_streams = []
        for _ in range(2):
            events = official.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "Count"}], stream=True
            )
            next(chunk for chunk in events if chunk.choices and chunk.choices[0].delta.content)
            open_streams.append(events)
        with pytest.raises(openai.RateLimitError) as refusal:
            ask(official)
        assert refusal.value.code == "too_many_replies"
        module_provider.gate("end").open()
        for events in open_streams:
            list(events)
        ask(official)
        with pytest.raises(openai.RateLimitError) as refusal:
            ask(official)
        assert refusal.value.code == "too_many_turns"
        assert refusal.value.response.headers["Retry-After"]


@pytest.mark.parametrize(
    "more",
    [
        {"stop": "\ud800"},
        {"stop": ["a", "\ud800"]},
        {"response_format": {"type": float("nan")}},
    ],
)
def test_what_is_no_json_is_not_passed_on(server: ChatServer, user: User, more: dict[str, object]) -> None:
    _, token = access_tokens.make(user, name="A program")
    body = {"messages": [{"role": "user", "content": "Hello"}]} | more
    refused = Program(server, user, token).post("/v1/chat/completions", body)
    assert refused.status == 400
    assert refused.json["error"]["param"] == next(iter(more))
