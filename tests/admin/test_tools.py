"""Tools in the admin: what they say, and who may decide about them."""

from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.admin.conftest import Staff
from tests.support.elements import read
from tools import registry
from tools.define import tool
from tools.models import Policy, ToolPolicy

pytestmark = pytest.mark.django_db

TOOLS = "/admin/tools/toolpolicy/"


@pytest.fixture(autouse=True)
def _tools() -> None:
    """Three tools, of which one asks first and one needs a permission."""

    @tool(confirm=True, permission="auth.delete_group")
    def erase(name: str) -> str:
        """Erase a <b>group</b>."""
        return name

    @tool(read_only=True)
    def look() -> str:
        """Look around."""
        return ""

    @tool(atomic=False, idempotent=True)
    def pay() -> str:
        """Pay something."""
        return ""

    registry.register(erase, look, pay)


def key(name: str) -> UUID:
    """The key of a tool's policy."""
    return ToolPolicy.objects.get(name=name).pk


def listed(client: Client) -> dict[str, list[str]]:
    """The rows of the list: what stands beside each tool."""
    answer = client.get(TOOLS)
    assert answer.status_code == 200
    table = read(answer.content.decode()).all("tbody tr")
    found = {row.one("th").words: [cell.words for cell in row.all("td")] for row in table}
    return {name: cells for name, cells in found.items() if name in {"erase", "look", "pay", "vanished"}}


def test_the_list_shows_each_tool_with_what_its_decorator_says(staff: Staff) -> None:
    assert listed(staff("view_toolpolicy")) == {
        "erase": [
            "Erase a <b>group</b>.",
            "asks first, needs auth.delete_group",
            "Ask the person first",
            "its decorator",
        ],
        "look": ["Look around.", "changes nothing", "Allow", "its decorator"],
        "pay": ["Pay something.", "may be repeated, acts outside of the database", "Allow", "its decorator"],
    }


def test_a_policy_is_set_changed_and_taken_back(staff: Staff) -> None:
    client = staff()
    page = client.get(f"{TOOLS}add/?name=look").content.decode()
    assert read(page).one("option[selected]").words == "look"
    assert client.post(f"{TOOLS}add/", {"name": "look", "policy": "never"}).status_code == 302
    boss = User.objects.get(is_superuser=True)
    (decision,) = ToolPolicy.objects.all()
    assert (decision.name, decision.policy, decision.changed_by) == ("look", Policy.NEVER, boss.pk)
    look = registry.get("look")
    assert look
    assert registry.policy_of(look) == "never"
    assert listed(client)["look"][2] == "Never"
    assert listed(client)["look"][3].startswith(f"{boss.email}, ")
    assert client.post(f"{TOOLS}{key('look')}/change/", {"policy": "ask"}).status_code == 302
    assert registry.policy_of(look) == "ask"
    assert client.post(f"{TOOLS}{key('look')}/delete/", {"post": "yes"}).status_code == 302
    assert registry.policy_of(look) == "allow"
    assert [entry.action_flag for entry in LogEntry.objects.order_by("action_time")] == [1, 2, 3]
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {"look"}


def test_a_tool_has_one_policy_and_no_other_word(staff: Staff) -> None:
    client = staff()
    client.post(f"{TOOLS}add/", {"name": "look", "policy": "never"})
    for data in (
        {"name": "look", "policy": "allow"},
        {"name": "unknown", "policy": "allow"},
        {"name": "pay", "policy": "always"},
        {"name": "pay", "policy": ""},
    ):
        assert client.post(f"{TOOLS}add/", data).status_code == 200
    assert list(ToolPolicy.objects.values_list("name", "policy")) == [("look", "never")]


def test_the_name_of_a_decided_tool_cannot_be_changed(staff: Staff) -> None:
    client = staff()
    client.post(f"{TOOLS}add/", {"name": "look", "policy": "never"})
    client.post(f"{TOOLS}{key('look')}/change/", {"name": "pay", "policy": "allow"})
    assert list(ToolPolicy.objects.values_list("name", "policy")) == [("look", "allow")]


def test_who_may_only_look_sets_nothing(staff: Staff) -> None:
    client = staff("view_toolpolicy")
    ToolPolicy.objects.create(name="pay", policy="ask")
    html = client.get(TOOLS).content.decode()
    assert [link["href"] for link in read(html).all("tbody th a")] == [f"{TOOLS}{key('pay')}/change/"]
    assert client.post(f"{TOOLS}add/", {"name": "look", "policy": "never"}).status_code == 403
    assert client.post(f"{TOOLS}{key('pay')}/change/", {"policy": "never"}).status_code == 403
    assert client.post(f"{TOOLS}{key('pay')}/delete/", {"post": "yes"}).status_code == 403
    assert ToolPolicy.objects.get().policy == "ask"


def test_staff_with_the_permission_change_what_a_superuser_has_set(staff: Staff) -> None:
    staff().post(f"{TOOLS}add/", {"name": "look", "policy": "never"})
    client = staff("change_toolpolicy")
    assert client.post(f"{TOOLS}{key('look')}/change/", {"policy": "allow"}).status_code == 302
    assert ToolPolicy.objects.get().policy == "allow"


def test_without_a_permission_nobody_sees_the_list(staff: Staff) -> None:
    assert staff(as_nobody=True).get(TOOLS).status_code == 403


def test_the_policy_of_a_tool_that_has_vanished_is_shown_as_such(staff: Staff) -> None:
    client = staff()
    ToolPolicy.objects.create(name="vanished", policy="never")
    assert listed(client)["vanished"][:3] == ["No installed app has this tool.", "-", "Never"]
    assert list(listed(client))[-1] == "vanished"
    assert client.post(f"{TOOLS}{key('vanished')}/change/", {"policy": "ask"}).status_code == 302


def test_functions_that_cannot_be_tools_are_named(staff: Staff) -> None:
    @tool
    def silent() -> str:
        return ""

    registry.register(silent)
    assert "`silent` cannot be a tool: it has no docstring" in staff().get(TOOLS).content.decode()


def test_the_list_takes_the_same_number_of_queries_however_many_were_decided(staff: Staff) -> None:
    client = staff()
    client.get(TOOLS)
    counts = []
    for number in range(2):
        ToolPolicy.objects.bulk_create(ToolPolicy(name=f"tool{number}-{each}", policy="ask") for each in range(20))
        with CaptureQueriesContext(connection) as queries:
            client.get(TOOLS)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_database_knows_no_other_policy() -> None:
    with pytest.raises(IntegrityError, match="tool_policy_is_known"):
        ToolPolicy.objects.create(name="look", policy="maybe")
