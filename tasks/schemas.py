"""Schemas of the requests and responses about tasks, as JSON."""

import re
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, StrictBool
from pydantic.config import JsonDict

from chatbot.web.api import EXAMPLE_ID, EXAMPLE_TIME, TEXT, Body
from tasks.texts import DESCRIPTION_MAX_CHARS, TITLE_MAX_CHARS, clean_description, clean_title

EXAMPLE: JsonDict = {"title": "Buy milk", "description": "Two litres", "due": "2026-02-05"}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WITHOUT_NUL = {"pattern": r"^[^\u0000]*$"}


def is_text(text: str) -> str:
    """The text itself. Raises `ValueError` for one that the database cannot store."""
    if "\0" in text:
        raise ValueError("This may not contain the character NUL.")
    return text


def day(value: object) -> date:
    """The day that a text says in ISO 8601; pydantic alone takes numbers and times, too. Raises `ValueError`."""
    if isinstance(value, str) and DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("This is not a day such as 2027-01-31.")


Title = Annotated[
    str,
    Field(min_length=1, max_length=TITLE_MAX_CHARS, json_schema_extra=dict(TEXT), description="What is to be done."),
    AfterValidator(is_text),
    AfterValidator(clean_title),
]
Description = Annotated[
    str,
    Field(max_length=DESCRIPTION_MAX_CHARS, json_schema_extra=dict(WITHOUT_NUL)),
    AfterValidator(is_text),
    AfterValidator(clean_description),
]
Day = Annotated[date, BeforeValidator(day)]
Due = Annotated[Day | None, Field(description="The day on which it is due, or null.")]


class TaskIn(Body):
    """A new task, or with PUT all that is to be in place of an old one."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    title: Title
    description: Description = ""
    due: Due = None


class TaskWhole(TaskIn):
    """A whole task, in place of what it was."""

    done: StrictBool = False


class TaskChanges(Body):
    """Changes to a task; absent fields stay as they are."""

    model_config = ConfigDict(json_schema_extra={"example": {"due": "2026-02-06"}})

    title: Title | None = None
    description: Description | None = None
    due: Due = None
    done: StrictBool | None = None
    before: UUID | None = Field(None, description="Moves the task right before this one.")
    after: UUID | None = Field(None, description="Moves the task right after this one, without a `before`.")


class TaskOut(Schema):
    """A task of the person's."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": EXAMPLE_ID,
                **EXAMPLE,
                "done": False,
                "completed_at": None,
                "created_at": EXAMPLE_TIME,
                "updated_at": EXAMPLE_TIME,
            }
        }
    )

    id: UUID
    title: str
    description: str
    due: date | None
    done: bool
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TasksOut(Schema):
    """One page of tasks, in the person's order; done ones alone with the last one completed first."""

    items: list[TaskOut]
    next_cursor: str | None = Field(description="Goes into `cursor` for the next page; null on the last one.")
