"""Functions that cannot be tools: a check names their file and line, and the model is not offered them."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pydantic import Field
from pytest_django import Settings

from accounts.models import User
from chatbot.core import process
from tools import registry
from tools.checks import tools_can_be_offered
from tools.define import tool

if TYPE_CHECKING:
    from decimal import Decimal


class Opaque:
    """A type that pydantic does not know."""


def undocumented(title: str) -> str:
    return title


def only_arguments(title: str) -> str:
    """
    Args:
        title: What is to be done.
    """
    return title


def untyped(title, due: str) -> str:  # type: ignore[no-untyped-def]
    """Add something."""
    return str(title)


def variadic(*titles: str) -> str:
    """Add something."""
    return titles[0]


def positional(title: str, /) -> str:
    """Add something."""
    return title


def opaque(title: str, thing: Opaque) -> str:
    """Add something."""
    return title


def callback(then: Callable[[int], int]) -> str:
    """Add something."""
    return ""


def strays(title: str) -> str:
    """Add something.

    Args:
        title: What is to be done.
        due: The day it is due.
    """
    return title


def unread(price: "Decimal") -> str:
    """Pay something."""
    return str(price)


def wrong_user(user: str) -> str:
    """Add something."""
    return user


def field_default(number: int = Field(5, gt=0)) -> str:
    """Add something."""
    return str(number)


def generator() -> Iterator[str]:
    """List something."""
    yield ""


async def async_generator() -> AsyncIterator[str]:
    """List something."""
    yield ""


def añade(title: str) -> str:
    """Add something."""
    return title


def long_name() -> str:
    """Do something."""
    return ""


long_name.__name__ = "x" * 65


def plain(title: str = "") -> str:
    """Do something."""
    return title


@pytest.mark.parametrize(
    ("function", "said", "words"),
    [
        (undocumented, {}, "it has no docstring"),
        (only_arguments, {}, "it has no docstring"),
        (untyped, {}, "its argument `title` has no type hint"),
        (variadic, {}, r"it has `\*titles: str`"),
        (positional, {}, "its argument `title` can be given by position only"),
        (opaque, {}, "the type of its argument `thing` has no JSON schema"),
        (callback, {}, "the type of its argument `then` has no JSON schema"),
        (strays, {}, "describes an argument `due`, which it does not have"),
        (unread, {}, "its type hints cannot be read: name 'Decimal' is not defined"),
        (wrong_user, {}, "its argument `user` is given by the server: its type is User"),
        (field_default, {}, "its argument `number` has a Field as default"),
        (generator, {}, "it is a generator"),
        (async_generator, {}, "it is a generator"),
        (añade, {}, "providers accept names of at most 64 letters"),
        (long_name, {}, "providers accept names of at most 64 letters"),
        (Opaque, {}, "it is not a function"),
        (plain, {"confirm": True, "read_only": True}, "asks for confirmation"),
        (plain, {"permission": "change_order"}, "is not of the form app.codename"),
        (plain, {"permission": ["auth.view_group"]}, "its `permission` must be a text"),
        (plain, {"confirm": "no"}, "its `confirm` must be True or False"),
        (plain, {"permission": "shop.change_order"}, "is of an app that is not installed"),
        (plain, {"step": "Adding {name}"}, "its sentence names {name}, which is not an argument"),
        (plain, {"step": "Adding {title.secret}"}, "is no template: only names of arguments"),
        (plain, {"done": "Added {title:>9}"}, "is no template: only names of arguments"),
        (plain, {"done": "Added {title"}, "is no template: expected '}'"),
        (plain, {"step": 5}, "its `step` must be a text"),
        (plain, {"color": "red"}, "its decorator does not know `color`"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_reported_and_not_offered(
    function: Any, said: dict[str, Any], words: str
) -> None:
    before = {tool.name for tool in registry.all_tools()}
    registry.register(tool(**said)(function))
    (fault,) = [error.msg for error in tools_can_be_offered() if __file__ in error.msg or "test_checks" in error.msg]
    assert {tool.name for tool in registry.all_tools()} == before
    assert registry.get(function.__name__) is None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(fault)
    if code := getattr(function, "__code__", None):
        assert fault.startswith(f"{__file__}:{code.co_firstlineno}: ")


def test_each_fault_of_a_function_is_reported() -> None:
    registry.register(tool(step="{a}", done="{b}")(plain))
    assert len(tools_can_be_offered()) == 2


def test_of_two_tools_with_one_name_neither_is_offered() -> None:
    def other() -> Any:
        def plain() -> str:
            """Do something else."""
            return ""

        return tool(plain)

    registry.register(tool(plain), other())
    assert registry.get("plain") is None
    messages = [error.msg for error in tools_can_be_offered()]
    assert len(messages) == 2
    assert all("`plain` is there more than once" in message for message in messages)


def test_a_third_one_does_not_bring_the_name_back() -> None:
    def another(number: int) -> Any:
        def plain() -> str:
            """Do something else."""
            return str(number)

        return tool(plain)

    registry.register(another(1))
    registry.register(another(2))
    registry.register(another(3))
    assert registry.get("plain") is None


def test_a_tool_that_replaces_another_one_of_its_module_is_reported() -> None:
    module: dict[str, Any] = {"tool": tool, "__name__": "shop.chat_tools"}
    code = '@tool\ndef pay() -> str:\n    """Pay it."""\n\n\n@tool\ndef pay() -> str:\n    """Pay it again."""\n'
    exec(compile(code, "shop/chat_tools.py", "exec"), module)  # noqa: S102 (a module with a mistake)
    registry.register(module["pay"])
    (fault,) = registry.faults()
    assert fault.where == "shop/chat_tools.py:6"
    assert "the module has another tool with this name, shop/chat_tools.py:1" in fault.words


def test_a_module_that_is_loaded_again_has_no_faults() -> None:
    module: dict[str, Any] = {"tool": tool, "__name__": "shop.chat_tools"}
    code = compile('@tool\ndef pay() -> str:\n    """Pay it."""\n', "shop/chat_tools.py", "exec")
    for _ in range(2):
        exec(code, module)  # noqa: S102 (as a reload does)
    registry.register(module["pay"])
    assert registry.faults() == []


def test_the_check_of_the_site_names_the_place_and_the_rest_works(settings: Settings) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.tools.broken"]
    process.begin()
    with pytest.raises(SystemCheckError, match=r"tests/tools/broken/chat_tools.py:6: .nameless. cannot be a tool"):
        call_command("check")
    assert registry.get("nameless") is None
    assert registry.get("fine")


def test_the_site_itself_has_no_faults() -> None:
    assert registry.faults() == []


def test_what_the_server_gives_may_be_untested_by_name() -> None:
    def greet(user: User) -> str:
        """Greet the person."""
        return str(user)

    registry.register(tool(greet))
    assert registry.get("greet")
