"""A tool's arguments: their JSON schema, from hints and docstring, and the check of what a model wrote for them."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict, get_type_hints

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema, to_jsonable_python

from accounts.models import User
from tools import text as texts
from tools.define import Call
from tools.docstrings import Described

GIVEN: Mapping[str, type] = {"user": User, "call": Call}
"""Arguments that the server gives, by name."""
ARGUMENTS_MAX_CHARS = 200_000
REFUSAL_MAX_CHARS = 1_000
ERRORS_SHOWN = 8
REFERENCE = "$ref"

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Unfit(Exception):
    """A function cannot be a tool. The arguments of the exception are sentences that say why."""


class ArgumentsRefused(Exception):
    """What a model wrote as arguments does not fit the tool. The words of the exception are for the model."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a tool that the model gives."""

    parameters: dict[str, Any]
    """Their JSON schema, as providers expect it."""
    given: frozenset[str]
    """Names of the arguments that the server gives, of those that the function has."""
    validator: TypeAdapter[dict[str, Any]]
    droppable: frozenset[str]
    """Optional arguments that cannot be null: many models write null for "not given"."""

    def read(self, text: str) -> dict[str, Any]:
        """Values for the function, from the JSON text that a model wrote. Raises `ArgumentsRefused`."""
        written = {name: value for name, value in loaded(text).items() if value is not None or self.keeps(name)}
        try:
            return self.validator.validate_json(json.dumps(written))
        except ValidationError as error:
            raise ArgumentsRefused(f"The arguments do not fit. {in_words(error)}") from None
        except Exception as error:  # A type's own code may raise anything.
            raise ArgumentsRefused(f"The arguments cannot be read ({type(error).__name__}).") from error

    def keeps(self, name: str) -> bool:
        """Whether null is a value of this argument, or an error in it."""
        return name not in self.droppable


def loaded(text: str) -> dict[str, Any]:
    """The JSON object in a text that a model wrote; empty for an empty text. Raises `ArgumentsRefused`."""
    if len(text) > ARGUMENTS_MAX_CHARS:
        raise ArgumentsRefused(
            f"The arguments are too long: {len(text):,} characters, at most {ARGUMENTS_MAX_CHARS:,}."
        )
    try:
        value = _parsed(text)
        if isinstance(value, str):
            # Some models write the object as a text in JSON.
            value = _parsed(value)
        value = texts.storable_json(value)
    except (ValueError, RecursionError) as error:
        place = f" {error.msg} at character {error.pos + 1}." if isinstance(error, json.JSONDecodeError) else ""
        raise ArgumentsRefused(f"The arguments are not valid JSON.{place}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ArgumentsRefused("The arguments must be a JSON object.")
    return value


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse) if text.strip() else {}


def _refuse(constant: str) -> None:
    """Refuse what Python's parser takes and JSON does not have. Raises `ValueError`."""
    raise ValueError(constant)


def in_words(error: ValidationError) -> str:
    """What is wrong with each argument, bounded, without the values."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}." for each in errors[:ERRORS_SHOWN]]
    if len(errors) > ERRORS_SHOWN:
        said.append(f"{len(errors) - ERRORS_SHOWN} more.")
    return texts.shortened(texts.storable(" ".join(said)), REFUSAL_MAX_CHARS)


def arguments_of(function: Any, said: Described) -> Arguments:
    """The arguments of a function, described by its docstring. Raises `Unfit`."""
    signature = inspect.signature(function)
    hints = hints_of(function)
    faults = [fault for parameter in signature.parameters.values() for fault in _faults(parameter, hints)]
    faults += [
        f"its docstring describes an argument `{name}`, which it does not have"
        for name in said.arguments
        if name not in signature.parameters
    ]
    if faults:
        raise Unfit(*faults)
    given = frozenset(GIVEN.keys() & signature.parameters.keys())
    written = [parameter for name, parameter in signature.parameters.items() if name not in given]
    fields = {parameter.name: _field(parameter, hints[parameter.name], said) for parameter in written}
    try:
        validator = _validator(fields)
        schema = validator.json_schema(schema_generator=PlainSchema)
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError, NameError) as error:
        raise Unfit(*_without_schema(fields, error)) from error
    schema.pop("title", None)
    _add_defaults(schema, written)
    optional = [parameter.name for parameter in written if parameter.default is not parameter.empty]
    droppable = frozenset(name for name in optional if not _takes_null(hints[name]))
    return Arguments(inlined(schema), given, validator, droppable)


def hints_of(function: Any) -> dict[str, Any]:
    """The function's type hints, evaluated. Raises `Unfit`."""
    try:
        return get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception as error:  # A hint may be any expression.
        raise Unfit(f"its type hints cannot be read: {error}. What they name must be imported at run time") from error


def _faults(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> list[str]:
    """What is wrong with one parameter, before its type is looked at."""
    name = parameter.name
    if parameter.kind in VARIADIC:
        return [f"it has `{parameter}`, but a model gives arguments by name: name each of them"]
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return [f"its argument `{name}` can be given by position only"]
    if name not in hints:
        return [f"its argument `{name}` has no type hint"]
    if name in GIVEN and hints[name] not in {GIVEN[name], Any}:
        return [f"its argument `{name}` is given by the server: its type is {GIVEN[name].__name__}"]
    if isinstance(parameter.default, FieldInfo):
        return [
            f"its argument `{name}` has a Field as default: write `Annotated[..., Field(...)]` before a plain default"
        ]
    return []


def _field(parameter: inspect.Parameter, hint: Any, said: Described) -> Any:
    """The type of one argument, described, and optional if the function has a default for it."""
    words = said.arguments.get(parameter.name)
    field = Annotated[hint, Field(description=words)] if words else hint
    return field if parameter.default is parameter.empty else NotRequired[field]


def _validator(fields: Mapping[str, Any]) -> TypeAdapter[dict[str, Any]]:
    # A dictionary's type takes any name; a model's refuses some (`_id`, `json`, `model_config`).
    make: Any = TypedDict
    arguments = make("arguments", dict(fields))
    arguments.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(arguments)


def _without_schema(fields: Mapping[str, Any], error: Exception) -> list[str]:
    """A sentence for each argument whose type has no JSON schema."""
    found = []
    for name, field in fields.items():
        try:
            _validator({name: field}).json_schema(schema_generator=PlainSchema)
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError, NameError) as own:
            reason = str(own).splitlines()[0]
            found.append(f"the type of its argument `{name}` has no JSON schema: {reason}")
    return found or [f"its arguments have no JSON schema: {str(error).splitlines()[0]}"]


def _add_defaults(schema: dict[str, Any], parameters: list[inspect.Parameter]) -> None:
    """Tell the model the defaults of the function, where JSON can."""
    for parameter in parameters:
        if parameter.default is parameter.empty or parameter.default is None:
            continue
        try:
            schema["properties"][parameter.name]["default"] = texts.storable_json(to_jsonable_python(parameter.default))
        except ValueError:
            continue


def _takes_null(hint: Any) -> bool:
    try:
        TypeAdapter(hint).validate_python(None)
    except (ValidationError, PydanticUserError):
        return False
    return True


class PlainSchema(GenerateJsonSchema):
    """JSON schema without what providers do not need: titles of fields, and two ways to write a decimal."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """False: a field's title only repeats its name."""
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        """A number, with the bounds that it has; text would be accepted as well."""
        made = super().decimal_schema(schema)
        number: dict[str, Any] = made.get("anyOf", [made])[0]
        return number


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with definitions where they are used, as not all providers follow references.

    A schema with a definition that contains itself stays as it is.
    """
    definitions: dict[str, Any] = schema.get("$defs", {})
    try:
        placed: dict[str, Any] = _placed(
            {name: part for name, part in schema.items() if name != "$defs"}, definitions, ()
        )
    except RecursionError:
        return schema
    return placed


def _placed(node: Any, definitions: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    """A part of a schema without references. Raises `RecursionError` for a definition that contains itself."""
    if isinstance(node, list):
        return [_placed(inner, definitions, above) for inner in node]
    if not isinstance(node, dict):
        return node
    parts = {name: _placed(inner, definitions, above) for name, inner in node.items() if name != REFERENCE}
    target = node.get(REFERENCE)
    if not isinstance(target, str):
        # A property may have this name too.
        return parts | ({} if target is None else {REFERENCE: _placed(target, definitions, above)})
    name = target.removeprefix("#/$defs/")
    if name in above:
        raise RecursionError(name)
    return _placed(definitions[name], definitions, (*above, name)) | parts
