"""The schema of a tool's arguments, and the check of what a model writes for them."""

import enum
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from accounts.models import User
from tests.tools.calling import tool_of
from tools.define import Call
from tools.registry import ArgumentsRefused

KEY = "0198a6a2-0000-7000-8000-000000000001"


class Size(enum.Enum):
    """How large something is."""

    SMALL = "s"
    LARGE = "l"


class Line(BaseModel):
    """A line of an order."""

    article: str
    pieces: int = 1


class Strict(BaseModel):
    """Takes dates as JSON has them, and nothing that is merely like one."""

    model_config = ConfigDict(strict=True)
    on: date


class Tree(BaseModel):
    """Something that contains others of its kind."""

    name: str
    parts: list["Tree"] = []


class Choosy(BaseModel):
    """Refuses values by code of its own."""

    name: str

    @field_validator("name")
    @classmethod
    def no_spam(cls, value: str) -> str:
        if value == "spam":
            raise ValueError("no spam, please")
        return {"ham": value}[value]


def parameters(function: Any) -> dict[str, Any]:
    return tool_of(function).parameters


def test_hints_and_docstring_make_the_schema() -> None:
    def add_item(user: User, call: Call, title: str, due: date | None = None, urgent: int = 0) -> str:
        """Add an item to the user's to-do list.

        Use it for what has to be done later.

        Args:
            title: What is to be done.
            due (date, optional): The day it is due,
                if one was said: never guess one.

        Returns:
            The words to repeat.

        Raises:
            ValueError: When the list is full.
        """
        return title

    tool = tool_of(add_item)
    assert tool.for_model() == {
        "type": "function",
        "function": {
            "name": "add_item",
            "description": "Add an item to the user's to-do list.\n\nUse it for what has to be done later.\n\n"
            "Returns:\n    The words to repeat.",
            "parameters": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "What is to be done."},
                    "due": {
                        "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                        "description": "The day it is due, if one was said: never guess one.",
                    },
                    "urgent": {"type": "integer", "default": 0},
                },
                "required": ["title"],
                "additionalProperties": False,
            },
        },
    }
    assert tool.where.endswith("test_schema.py:" + str(add_item.__code__.co_firstlineno))


def test_a_tool_without_arguments_has_an_empty_schema() -> None:
    def look(user: User) -> str:
        """Look around."""
        return ""

    assert parameters(look) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_each_common_type_has_a_schema_and_is_read() -> None:
    def order(
        color: Literal["red", "blue"],
        size: Size,
        price: Annotated[Decimal, Field(gt=0)],
        key: UUID,
        lines: list[Line],
        at: datetime,
        tags: set[str],
        more: dict[str, int],
        number: Annotated[int, Field(ge=1, le=9, description="How many.")] = 3,
    ) -> str:
        """Order something."""
        return ""

    tool = tool_of(order)
    properties = tool.parameters["properties"]
    assert properties["color"] == {"type": "string", "enum": ["red", "blue"]}
    assert properties["size"]["enum"] == ["s", "l"]
    assert properties["price"] == {"type": "number", "exclusiveMinimum": 0}
    assert properties["key"] == {"type": "string", "format": "uuid"}
    assert properties["lines"]["items"]["properties"]["article"] == {"type": "string"}
    assert properties["number"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "description": "How many.",
        "default": 3,
    }
    assert "$" not in json.dumps(tool.parameters)
    written = {
        "color": "red",
        "size": "l",
        "price": 19.99,
        "key": KEY,
        "lines": [{"article": "tea"}],
        "at": "2026-12-01T10:00:00Z",
        "tags": ["a", "a"],
        "more": {"a": 1},
    }
    assert tool.arguments(json.dumps(written)) == {
        "color": "red",
        "size": Size.LARGE,
        "price": Decimal("19.99"),
        "key": UUID(KEY),
        "lines": [Line(article="tea")],
        "at": datetime(2026, 12, 1, 10, tzinfo=UTC),
        "tags": {"a"},
        "more": {"a": 1},
    }


def test_a_type_that_contains_itself_keeps_its_references() -> None:
    def plant(tree: Tree) -> str:
        """Plant a tree."""
        return tree.name

    tool = tool_of(plant)
    assert tool.parameters["$defs"]["Tree"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Tree"}
    read = tool.arguments('{"tree": {"name": "oak", "parts": [{"name": "leaf"}]}}')
    assert read["tree"].parts[0].name == "leaf"


def test_arguments_may_have_any_name() -> None:
    def send(json: str, model_name: str, _hidden: int, schema: str = "") -> str:
        """Send something."""
        return json

    tool = tool_of(send)
    assert list(tool.parameters["properties"]) == ["json", "model_name", "_hidden", "schema"]
    assert tool.arguments('{"json": "a", "model_name": "b", "_hidden": 1}') == {
        "json": "a",
        "model_name": "b",
        "_hidden": 1,
    }


def test_defaults_are_left_to_the_function() -> None:
    def find(words: str = "all", limit: int = 5) -> str:
        """Find something."""
        return words

    tool = tool_of(find)
    for text in ("", "  ", "{}", "null", '"{}"', '""'):
        assert tool.arguments(text) == {}
    # Many models write null for what they leave out.
    assert tool.arguments('{"words": null, "limit": 3}') == {"limit": 3}


def test_null_is_a_value_where_the_type_has_it() -> None:
    def move(due: date | None = date(2026, 1, 1)) -> str:
        """Move something."""
        return ""

    assert tool_of(move).arguments('{"due": null}') == {"due": None}


def test_dates_are_read_as_json_has_them() -> None:
    def plan(day: Strict) -> str:
        """Plan something."""
        return ""

    assert tool_of(plan).arguments('{"day": {"on": "2026-12-01"}}')["day"].on == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON. Expecting property name .* at character 2"),
        ('{"title": "a"} and more', "not valid JSON. Extra data"),
        ("[" * 100_000, "not valid JSON"),
        ("9" * 5_000, "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("3", "must be a JSON object"),
        ("{}", "title: Field required"),
        ('{"title": 3}', "title: Input should be a valid string"),
        ('{"title": "a", "due": "soon"}', "due: Input should be a valid date"),
        ('{"title": "a", "color": "red"}', "color: Extra inputs are not permitted"),
        ('{"title": "a", "user": 1}', "user: Extra inputs are not permitted"),
        ('{"title": "' + "a" * 200_000 + '"}', "too long: 200,013 characters"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(text: str, words: str) -> None:
    def add(user: User, title: str, due: date = date(2026, 1, 1)) -> str:
        """Add something."""
        return title

    with pytest.raises(ArgumentsRefused, match=words):
        tool_of(add).arguments(text)


def test_a_refusal_is_bounded_and_repeats_no_value() -> None:
    def add(numbers: list[int]) -> str:
        """Add numbers."""
        return ""

    with pytest.raises(ArgumentsRefused) as refused:
        tool_of(add).arguments(json.dumps({"numbers": ["secret"] * 1000, "x" * 5000: 1}))
    assert len(str(refused.value)) < 1_100
    assert "secret" not in str(refused.value)
    assert "numbers.0: Input should be a valid integer" in str(refused.value)


def test_what_a_type_itself_raises_is_a_refusal() -> None:
    def choose(what: Choosy) -> str:
        """Choose something."""
        return what.name

    tool = tool_of(choose)
    assert tool.arguments('{"what": {"name": "ham"}}')["what"].name == "ham"
    with pytest.raises(ArgumentsRefused, match="what.name: Value error, no spam, please"):
        tool.arguments('{"what": {"name": "spam"}}')
    with pytest.raises(ArgumentsRefused, match=r"cannot be read \(KeyError\)"):
        tool.arguments('{"what": {"name": "eggs"}}')


def test_nul_and_lone_surrogates_do_not_reach_the_tool() -> None:
    def say(words: str, more: list[str] | None = None) -> str:
        """Say something."""
        return words

    text = r'{"words": "a\u0000b\ud800c", "more": ["\udfff", "\ud83d\ude00"]}'
    assert tool_of(say).arguments(text) == {"words": "ab\ufffdc", "more": ["\ufffd", "😀"]}
    with pytest.raises(ArgumentsRefused):
        tool_of(say).arguments('{"words": NaN}')
