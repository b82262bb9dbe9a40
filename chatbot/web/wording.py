"""Validation errors in the words of whoever sent the field instead of the validator's."""

from collections.abc import Mapping
from typing import Any

WORDS = {
    "missing": "This is required.",
    "none_required": "This field is not allowed here.",
    "extra_forbidden": "This field does not exist.",
    "string_type": "This must be text.",
    "string_too_short": "This must have at least {min_length} characters.",
    "string_too_long": "This may have at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the required format.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "list_type": "This must be a list.",
    "too_short": "This must have at least {min_length} items.",
    "too_long": "This may have at most {max_length} items.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than_equal": "This may be at most {le}.",
    "literal_error": "This must be {expected}.",
    "uuid_type": "This is not a valid key.",
    "uuid_parsing": "This is not a valid key.",
}
"""Type of the validator's error -> sentence."""


def in_words(error: Mapping[str, Any]) -> str:
    """The sentence for one validation error."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    sentence = WORDS.get(error["type"], "This is not valid.")
    told = error.get("ctx") or {}
    return sentence.format_map(
        {name: f"{value:g}" if isinstance(value, float) else value for name, value in told.items()}
    )
