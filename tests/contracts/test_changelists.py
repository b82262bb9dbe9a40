"""What Django's list in the admin consists of, as `accounts/staff_lists/changelists.py` replaces it."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.staff_lists.changelists import PLACE
from accounts.staff_lists.keyset import KeysetChangeList
from conversations.models import Conversation
from tests.contracts.words import relied_upon
from tests.factories import ConversationFactory, UserFactory

HOME = "accounts/staff_lists/changelists.py"

pytestmark = pytest.mark.django_db


@pytest.fixture
def chats() -> list[Conversation]:
    """Three of them, the newest first."""
    return ConversationFactory.create_batch(3)[::-1]


def listed(**parameters: str) -> Any:
    """The admin's list at this address."""
    request = RequestFactory().get("/admin/conversations/conversation/", parameters)
    request.user = UserFactory.create(is_staff=True, is_superuser=True)
    return admin.site.get_model_admin(Conversation).get_changelist_instance(request)


def test_the_list_is_ours_and_counts_nothing(chats: list[Conversation]) -> None:
    with relied_upon("`ChangeList` makes its rows in `get_queryset`, its page in `get_results`.", HOME):
        with CaptureQueriesContext(connection) as queries:
            changes = listed()
        assert isinstance(changes, KeysetChangeList)
        assert [row.pk for row in changes.result_list] == [chat.pk for chat in chats]
        assert changes.result_count == changes.full_result_count == 3
        assert not [query for query in queries.captured_queries if query["sql"].startswith("SELECT COUNT(")]


def test_the_address_says_what_is_looked_for(chats: list[Conversation]) -> None:
    with relied_upon("`ChangeList` has the words of the search in `query`.", HOME):
        assert [row.pk for row in listed(q=str(chats[1].pk)).result_list] == [chats[1].pk]
        assert [row.pk for row in listed(q=chats[2].user.email).result_list] == [chats[2].pk]


def test_the_filters_of_the_address_are_known(chats: list[Conversation]) -> None:
    with relied_upon("`get_filters` returns filters, whether there are any, lookups, and whether one is chosen.", HOME):
        changes = listed(state="trash")
        assert (changes.has_filters, changes.has_active_filters) == (True, True)
        assert not changes.result_list
        assert not listed().has_active_filters
        assert "state" not in changes.clear_all_filters_qs
        with pytest.raises(IncorrectLookupParameters):
            listed(**{PLACE: "nowhere"})


def test_an_address_is_made_of_the_one_that_was_asked(chats: list[Conversation]) -> None:
    with relied_upon("`get_query_string` adds and removes parameters; `params` has those of the address.", HOME):
        changes = listed(state="trash")
        assert changes.asked("state") == "trash"
        assert changes.asked("other") is None
        assert changes.place_address("here") == f"?{PLACE}=here&state=trash"
        assert changes.address(without=["state"]) == "?"
