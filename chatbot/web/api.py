"""What the operations of the API have in common, whichever app has them: bodies, responses, errors, examples."""

import json
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Field, Schema
from ninja.responses import NinjaJSONEncoder
from pydantic import BaseModel, ConfigDict

EXAMPLE_ID = "0199c2f4-6d7e-7a31-9f00-3c1d5e2b8a10"
EXAMPLE_TIME = "2026-02-04T10:00:00Z"

TEXT = {"pattern": r"^[^\u0000]*\S[^\u0000]*$"}
"""JSON schema of a text with visible characters, as far as a pattern can express that."""


class Body(BaseModel):
    """A request's body: an object. Ninja's own class would accept a list for a body without fields."""


class FieldError(Schema):
    """A field of the request, and its error."""

    field: str
    message: str


class ProblemOut(Schema):
    """An error in the format of RFC 9457."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "/api/docs#reply_in_progress",
                "title": "The assistant is still answering in this conversation. Wait for it, or stop it.",
                "status": 409,
                "detail": "The assistant is still answering in this conversation. Wait for it, or stop it.",
                "code": "reply_in_progress",
            }
        },
    )

    type: str = Field(description="Where the code is explained.")
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable name for programs.")
    errors: list[FieldError] | None = Field(None, description="With `invalid`: the fields.")
    conversation_id: UUID | None = Field(None, description="The conversation that holds the stored turn.")
    message_id: UUID | None = Field(None, description="The reply that failed; it can be retried.")
    period: Literal["day", "month"] | None = Field(None, description="Of `usage_limit_reached`: the limit's period.")
    unit: Literal["messages", "tokens"] | None = Field(None, description="Of `usage_limit_reached`: what is limited.")
    limit: int | None = Field(None, description="Of `usage_limit_reached`: the limit.")
    used: int | None = Field(None, description="Of `usage_limit_reached`: how much is used.")
    resets_at: datetime | None = Field(None, description="When the limit's period ends; null for a limit of 0.")


def errors(*statuses: int) -> dict[int, Any]:
    """Responses with these statuses, and 400, as problems."""
    return dict.fromkeys((400, *statuses), ProblemOut)


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON response; the body may hold dictionaries, lists, keys and times."""
    return HttpResponse(json.dumps(body, cls=NinjaJSONEncoder), "application/json", status, headers=headers)
