"""Schemas of the API's requests and responses, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from ninja import Field, Schema
from pydantic import AfterValidator, ConfigDict, StrictBool, field_validator

from chatbot.web.api import EXAMPLE_ID, EXAMPLE_TIME, TEXT, Body
from conversations.forms.messages import MessageField
from conversations.models import TITLE_MAX_CHARS


def clean_message(text: str) -> str:
    """The text in the form in which it is stored. Raises `ValueError` with a sentence."""
    try:
        return str(MessageField(from_program=True).clean(text))
    except ValidationError as error:
        raise ValueError(error.messages[0]) from error


class ChatIn(Body):
    """A person's message for a conversation."""

    model_config = ConfigDict(json_schema_extra={"example": {"message": "Hello, assistant!"}})

    message: str = Field(
        min_length=1,
        json_schema_extra=dict(TEXT),
        description="1 to `API_MESSAGE_MAX_CHARS` characters, not only white space.",
    )
    conversation_id: UUID | None = Field(
        None, description="The conversation to continue; without it a new one is started."
    )

    @field_validator("message")
    @classmethod
    def is_a_message(cls, text: str) -> str:
        """Check the text as the page does, with the limit for programs. Raises ValueError."""
        return clean_message(text)


class RegenerateIn(Body):
    """Request for another answer to the same message."""

    model: str = Field("", max_length=200, description="The model to ask; without it the conversation's.")


CallStatus = Literal["proposed", "waiting", "approved", "running", "done", "failed", "declined", "unknown"]
CallDecision = Literal["", "policy", "person", "always", "expired", "stopped"]
EXAMPLE_CALL: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "name": "add_task",
    "arguments": {"title": "Milk"},
    "status": "done",
    "result": {"text": "Added."},
    "error": "",
    "decision": "policy",
    "round": 0,
    "place": 9,
    "created_at": EXAMPLE_TIME,
    "started_at": EXAMPLE_TIME,
    "finished_at": EXAMPLE_TIME,
}


class ToolResultOut(Schema):
    """What a tool returned, as text and perhaps as a table."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(description="What the model read, at most its first 4,000 characters.")
    table: dict[str, Any] | None = Field(
        None, description="The result as a table, if it is one: `columns`, `rows`, and perhaps a link for each row."
    )
    length: int | None = Field(None, description="Of a longer text: its number of characters.")


class ToolCallOut(Schema):
    """A tool call of a reply."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_CALL})

    id: str = Field(description="The call's key, by which it can be decided.")
    name: str = Field(description="The tool's name.")
    arguments: dict[str, Any] | str = Field(
        description="The arguments as an object; what the model wrote otherwise, or very long arguments, as text."
    )
    status: CallStatus = Field(
        description="`waiting` asks for a decision; so does `unknown` without a `decision`: the call was interrupted, "
        "and may have happened. `done`, `failed` and `declined` are ends."
    )
    result: ToolResultOut | None = Field(description="Of a call that is done.")
    error: str = Field(description="Why the call failed or was not made, in the words that the model gets.")
    decision: CallDecision = Field(description="Who or what decided that it runs, or does not.")
    round: int = Field(description="The round of the reply that named it, from 0.")
    place: int = Field(description="Number of characters of the reply's text before it.")
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class OwnToolCallOut(ToolCallOut):
    """A tool call of a person, with its place."""

    model_config = ConfigDict(
        json_schema_extra={"example": EXAMPLE_CALL | {"conversation_id": EXAMPLE_ID, "message_id": EXAMPLE_ID}}
    )

    conversation_id: UUID | None = Field(description="The conversation of its reply; null for a call without one.")
    message_id: UUID | None = Field(description="The reply; null for a call without one.")


class ToolCallsOut(Schema):
    """One page of tool calls, the latest first."""

    items: list[OwnToolCallOut]
    next_cursor: str | None = Field(description="Goes into `cursor` for the next page; null on the last one.")


class ChatOut(Schema):
    """The whole reply, with its conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "response": "Hello! How can I help?",
                "conversation_id": EXAMPLE_ID,
                "message_id": EXAMPLE_ID,
                "status": "complete",
                "finish_reason": "stop",
            }
        }
    )

    response: str
    conversation_id: UUID
    message_id: UUID = Field(description="The reply's key, by which it can be regenerated.")
    status: Literal["complete", "stopped", "waiting"] = Field(
        description="`waiting`: tool calls need a decision, then the reply goes on."
    )
    finish_reason: str = Field(
        description="Why the model ended it: `stop`, `length` where it was cut (it can be continued), or another word."
    )
    tool_calls: list[ToolCallOut] | None = Field(None, description="With `waiting`: the calls that need a decision.")


class MessageOut(Schema):
    """A message of a conversation's branch."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"id": EXAMPLE_ID, "role": "user", "content": "Hello", "created_at": EXAMPLE_TIME}
        }
    )

    id: UUID
    role: Literal["user", "assistant", "system"]
    content: str
    created_at: datetime
    status: str | None = Field(
        None, description="Of a reply: how it ended, or that it is still being made, or `waiting` for a decision."
    )
    finish_reason: str | None = Field(
        None, description="Of a reply: why the model ended it, `length` where it was cut; absent where it did not say."
    )
    tool_calls: list[ToolCallOut] | None = Field(
        None, description="The tool calls of the reply, when there are any; of an open one as they stand."
    )


class ConversationOut(Schema):
    """A conversation without its messages."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": EXAMPLE_ID,
                "title": "Hello, assistant!",
                "pinned": False,
                "archived": False,
                "created_at": EXAMPLE_TIME,
                "updated_at": EXAMPLE_TIME,
            }
        }
    )

    id: UUID
    title: str
    pinned: bool
    archived: bool
    created_at: datetime
    updated_at: datetime = Field(description="When the last message came.")


class ConversationsOut(Schema):
    """One page of conversations, the latest first."""

    items: list[ConversationOut]
    next_cursor: str | None = Field(description="Goes into `cursor` for the next page; null on the last one.")


def clean_title(text: str) -> str:
    """A title as it is stored: one line of printable characters. Raises `ValueError` for one without any."""
    words = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if not words or "\0" in text:
        raise ValueError("A title has 1 to 255 printable characters.")
    return words


Title = Annotated[
    str, Field(min_length=1, max_length=TITLE_MAX_CHARS, json_schema_extra=dict(TEXT)), AfterValidator(clean_title)
]


class ConversationIn(Body):
    """Changes to a conversation; absent fields stay as they are."""

    model_config = ConfigDict(json_schema_extra={"example": {"title": "Greetings", "pinned": True}})

    title: Title | None = None
    pinned: StrictBool | None = None
    archived: StrictBool | None = None


class TokenIn(Body):
    """Credentials of the person who asks for a token."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"email": "ada@example.org", "password": "correct horse battery staple"}}
    )

    email: str = Field(min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=4096)


class RefreshIn(Body):
    """A refresh token, to get new tokens."""

    refresh_token: str = Field(min_length=1, max_length=8192)


class TokenOut(Schema):
    """Tokens, and the person whom they authenticate."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds for which the access token is good.")
    user_id: UUID


class DecisionIn(Body):
    """A person's decision on a tool call that waits."""

    model_config = ConfigDict(json_schema_extra={"example": {"decision": "approve"}})

    decision: Literal["approve", "decline"]
    always: StrictBool = Field(
        default=False, description="With `approve`: the tool runs in this conversation without asking from now on."
    )
