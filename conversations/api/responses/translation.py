"""A request for a response, as the question to the model and as the response repeats it."""

from typing import Any

from conversations.api import asking
from conversations.api.completion_schemas import whole_numbers, without_empty_tools
from conversations.api.questions import Question
from conversations.api.responses import history
from conversations.api.responses.schemas import LOGPROBS, ResponseIn, ToolIn
from conversations.llm import model_choices
from conversations.llm import service as llm

UNCHANGED = (
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "top_logprobs",
    "top_p",
    "user",
)
"""Fields that have the same name and meaning in a completion."""

REPEATED = (
    "instructions",
    "max_output_tokens",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
)
"""Fields that the response repeats as they were sent."""


def question(body: ResponseIn) -> Question:
    """What a request asks the model. Raises `Problem`."""
    messages = history.messages(body.input, body.instructions)
    return Question(
        [message.as_sent for message in messages],
        options(body),
        model_choices.to_ask(asking.chosen(body.model)),
        body.temperature,
        bool(body.stream),
    )


def options(body: ResponseIn) -> dict[str, Any]:
    """The fields of a completion beside its messages."""
    found: dict[str, Any] = {name: getattr(body, name) for name in UNCHANGED}
    found |= {name: whole_numbers(value) for name, value in body.further.items()} | tools(body)
    if body.max_output_tokens:
        found[llm.length_option()] = body.max_output_tokens
    if body.top_logprobs is not None or LOGPROBS in (body.include or ()):
        found["logprobs"] = True
    if body.reasoning:
        found["reasoning_effort"] = body.reasoning.effort
    if body.text:
        found["verbosity"] = body.text.verbosity
        found["response_format"] = response_format(body.text.format)
    return without_empty_tools({name: value for name, value in found.items() if value is not None})


def tools(body: ResponseIn) -> dict[str, Any]:
    """The tools of a completion, and the choice among them.

    Where only some are allowed, the others are left out: few providers know such a choice.
    """
    chosen, listed = body.tool_choice, body.tools or []
    if isinstance(chosen, dict) and chosen["type"] == "allowed_tools":
        allowed = {one["name"] for one in chosen["tools"]}
        chosen, listed = chosen["mode"], [tool for tool in listed if tool.name in allowed]
    elif isinstance(chosen, dict):
        chosen = {"type": "function", "function": {"name": chosen["name"]}}
    return {
        "tools": [{"type": "function", "function": function(tool)} for tool in listed],
        "tool_choice": chosen,
        "parallel_tool_calls": body.parallel_tool_calls,
    }


def function(tool: ToolIn) -> dict[str, Any]:
    """A function as a completion describes it."""
    return tool.model_dump(include={"name", "description", "parameters", "strict"}, exclude_none=True)


def response_format(form: dict[str, Any] | None) -> dict[str, Any] | None:
    """The form of the text as a completion describes it; None for free text."""
    if form is None or form["type"] == "text":
        return None
    described = {name: value for name, value in form.items() if name != "type" and value is not None}
    return (
        {"type": "json_schema", "json_schema": described} if form["type"] == "json_schema" else {"type": form["type"]}
    )


def repeated(body: ResponseIn) -> dict[str, Any]:
    """The fields of the request that a response repeats, with the values that hold where none was sent."""
    text, reasoning = body.text, body.reasoning
    return {name: getattr(body, name) for name in REPEATED} | {
        "background": False,
        "conversation": None,
        "max_tool_calls": None,
        "metadata": body.metadata or {},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt": None,
        "reasoning": {
            "effort": reasoning.effort if reasoning else None,
            "summary": (reasoning.summary or reasoning.generate_summary) if reasoning else None,
        },
        "service_tier": "default",
        "store": False,
        "text": {"format": (text and text.format) or {"type": "text"}}
        | ({"verbosity": text.verbosity} if text and text.verbosity else {}),
        "tool_choice": body.tool_choice or "auto",
        "tools": [described(tool) for tool in body.tools or ()],
        "truncation": "disabled",
    }


def described(tool: ToolIn) -> dict[str, Any]:
    """A function as a response repeats it."""
    fields = {"type", "name", "description", "parameters", "strict"}
    return {"parameters": None, "strict": None} | tool.model_dump(include=fields, exclude_none=True)
