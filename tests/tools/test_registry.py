"""Which tools there are, and who is offered which."""

import pytest
from django.contrib.auth.models import Group, Permission
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from chatbot.core import process
from tests.tools.calling import tool_of
from tools import registry
from tools.models import Policy, ToolPolicy


def look() -> str:
    """Look around."""
    return ""


def erase() -> str:
    """Erase something."""
    return ""


async def ask() -> str:
    """Ask somebody."""
    return ""


@pytest.fixture
def shop(settings: Settings) -> None:
    """The site with one more app, which has tools."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.tools.shop"]
    process.begin()


def test_the_tools_of_an_installed_app_are_found(shop: None) -> None:
    order, stock = registry.get("order"), registry.get("stock")
    assert order
    assert stock
    assert {"order", "stock"} <= {tool.name for tool in registry.all_tools()}
    assert registry.get("help_with") is None
    assert (order.is_async, order.atomic, order.may_run_again) == (False, True, True)
    assert (stock.is_async, stock.atomic, stock.read_only, stock.may_run_again) == (True, False, True, True)
    assert order.parameters["properties"]["on"]["description"] == "The day on which it is to come, if one was said."


def test_a_tool_of_one_test_is_unknown_to_the_next() -> None:
    tool_of(look)
    assert registry.get("look")
    process.begin()
    assert registry.get("look") is None


@pytest.mark.parametrize(
    ("function", "said", "may"),
    [
        (look, {}, True),
        (look, {"atomic": False}, False),
        (look, {"atomic": False, "idempotent": True}, True),
        (look, {"atomic": False, "read_only": True}, True),
        (look, {"confirm": True}, True),
        (ask, {}, False),
        (ask, {"idempotent": True}, True),
        (ask, {"read_only": True}, True),
    ],
)
def test_only_what_does_no_harm_a_second_time_may_run_again(function: object, said: dict[str, bool], may: bool) -> None:  # noqa: FBT001
    assert tool_of(function, **said).may_run_again is may


def test_tools_are_offered_by_name_without_those_that_are_turned_off(user: User) -> None:
    tool_of(look), tool_of(erase), tool_of(ask)
    own = {"look", "erase", "ask"}
    assert [tool.name for tool in registry.offered_to(user) if tool.name in own] == ["ask", "erase", "look"]
    assert [tool.name for tool in registry.offered_to(user, {"erase"}) if tool.name in own] == ["ask", "look"]


def test_with_tools_turned_off_nothing_is_offered(
    user: User, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tool_of(look)
    settings.CHAT_TOOLS = False
    with django_assert_num_queries(0):
        assert registry.offered_to(user) == []


def test_a_tool_is_offered_only_to_who_has_its_permission(user: User, stranger: User) -> None:
    tool_of(erase, permission="auth.delete_group")
    user.user_permissions.add(Permission.objects.get(codename="delete_group"))
    assert "erase" in {tool.name for tool in registry.offered_to(user)}
    assert "erase" not in {tool.name for tool in registry.offered_to(stranger)}
    stranger.is_superuser = True
    assert "erase" in {tool.name for tool in registry.offered_to(stranger)}


def test_a_permission_of_a_group_counts(user: User) -> None:
    tool_of(erase, permission="auth.delete_group")
    group = Group.objects.create(name="Cleaners")
    group.permissions.add(Permission.objects.get(codename="delete_group"))
    user.groups.add(group)
    assert "erase" in {tool.name for tool in registry.offered_to(user)}


def test_an_account_that_is_closed_is_offered_nothing_that_needs_a_permission(user: User) -> None:
    tool_of(erase, permission="auth.delete_group")
    user.is_superuser, user.is_active = True, False
    assert "erase" not in {tool.name for tool in registry.offered_to(user)}


def test_however_many_tools_there_are_the_queries_are_the_same(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tool_of(look), tool_of(erase, permission="auth.delete_group"), tool_of(ask, permission="auth.add_group")
    # The policies; what the person may do, and what the person's groups may do.
    with django_assert_num_queries(3):
        registry.offered_to(user)


def test_without_a_decision_the_decorator_says_what_happens(user: User) -> None:
    assert registry.policy_of(tool_of(look)) == "allow"
    assert registry.policy_of(tool_of(erase, confirm=True)) == "ask"


def test_an_administrators_decision_overrides_the_decorator(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tools = [tool_of(look), tool_of(erase, confirm=True), tool_of(ask)]
    ToolPolicy.decide("look", Policy.ASK, by=user)
    ToolPolicy.decide("erase", Policy.ALLOW, by=user)
    ToolPolicy.decide("ask", Policy.NEVER, by=user)
    ToolPolicy.decide("ask", Policy.NEVER, by=user)
    with django_assert_num_queries(1):
        assert registry.policies(tools) == {"look": "ask", "erase": "allow", "ask": "never"}
    assert "ask" not in {tool.name for tool in registry.offered_to(user)}


def test_a_decision_about_a_tool_that_has_vanished_is_kept(user: User) -> None:
    ToolPolicy.decide("vanished", Policy.NEVER, by=user)
    assert "vanished" not in {tool.name for tool in registry.offered_to(user)}

    def vanished() -> str:
        """Come back."""
        return ""

    assert registry.policy_of(tool_of(vanished)) == "never"
