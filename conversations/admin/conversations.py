"""Conversations in the admin: found by person and time, read as a transcript, exported, stopped, removed."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ActionLocation
from django.contrib.admin.utils import unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from accounts.readings import staff
from accounts.staff_lists.dates import moment
from accounts.staff_lists.keyset import KeysetAdmin, Order
from conversations.admin import actions, filters, searching
from conversations.admin.facts import Facts, facts_of
from conversations.admin.readings import may_read
from conversations.admin.transcripts import transcript
from conversations.models import Conversation
from conversations.pages.lists import Entry


@admin.register(Conversation)
class ConversationAdmin(KeysetAdmin):
    """Admin of conversations, ordered by the last message's time, latest first."""

    order = Order("updated_at")
    time = "updated_at"
    columns = (
        "created_at",
        "updated_at",
        "pinned_at",
        "archived_at",
        "trashed_at",
        "current_message_id",
        "user__email",
    )
    lookups = ("user__id__exact",)
    date_hierarchy = "updated_at"
    list_display = ("last_message", "user", "messages", "tokens", "model_name", "last_reply", "state")
    list_select_related = ("user",)
    change_list_template = "admin/conversations/conversation/change_list.html"
    list_filter = (
        filters.StateFilter,
        filters.LastStatusFilter,
        filters.LastErrorFilter,
        filters.LastModelFilter,
        filters.AnyFeedbackFilter,
        filters.SizeFilter,
    )
    actions = (actions.export_markdown, actions.export_json, actions.stop, actions.trash, actions.erase)

    def get_urls(self) -> list[URLPattern]:
        """The search before Django's own pages, whose addresses would read any word as a key."""
        search = self.admin_site.admin_view(self.search_view)
        return [path("search/", search, name="conversations_conversation_search"), *super().get_urls()]

    def has_read_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may read messages."""
        return may_read(request)

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Whether this member of staff may stop a reply."""
        return staff(request).has_perm("conversations.stop_generation")

    def get_actions(self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """This site's actions without Django's own deletion, which would write titles to the audit log."""
        found: dict[str, Any] = super().get_actions(request, action_location=action_location)
        found.pop("delete_selected", None)
        return found

    def prepared(self, rows: list[Any]) -> list[Any]:
        """The rows, each with its `facts`. Causes a query."""
        facts = facts_of([row.pk for row in rows]) if rows else {}
        for row in rows:
            row.facts = facts.get(row.pk, Facts())
        return rows

    @admin.display
    def last_message(self, conversation: Conversation) -> str:
        """Time of the last message."""
        return moment(conversation.updated_at)

    @admin.display
    def messages(self, conversation: Conversation) -> str:
        """The number of messages, up to `MESSAGES_MAX`."""
        facts = _facts(conversation)
        return f"{facts.messages}+" if facts.is_more else str(facts.messages)

    @admin.display
    def tokens(self, conversation: Conversation) -> str:
        """Tokens used so far by the counted messages."""
        facts = _facts(conversation)
        return f"{facts.tokens:,}{'+' if facts.is_more else ''}"

    @admin.display(description="model")
    def model_name(self, conversation: Conversation) -> str:
        """Name of the model that answered last."""
        return _facts(conversation).model or "-"

    @admin.display(description="last reply")
    def last_reply(self, conversation: Conversation) -> str:
        """Status of the last reply, with the code of its error."""
        facts = _facts(conversation)
        return f"{facts.status}: {facts.error_code}" if facts.error_code else facts.status or "-"

    @admin.display(description="place")
    def state(self, conversation: Conversation) -> str:
        """Whether the person has pinned, archived or deleted it."""
        if conversation.trashed_at:
            return "in the trash"
        return "archived" if conversation.archived_at else "pinned" if conversation.pinned_at else "-"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with a link to the search for those who may read messages."""
        context = (extra_context or {}) | {"may_read": may_read(request)}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The conversation's facts and, for those who may read messages, its transcript."""
        found = self._found(request, object_id, self.has_view_permission)
        if request.method == "POST":
            return self._act(request, found)
        offered = self.get_actions(request, ActionLocation.CHANGE_FORM)
        context = {
            **self._context(request, found),
            "facts": facts_of([found.pk])[found.pk],
            "expires": Entry(found, found.trashed_at).expires if found.trashed_at else None,
            "running": found.generations.open().first(),
            "offered": [(name, action.description) for name, action in offered.items() if _applies(name, found)],
            "selected_name": ACTION_CHECKBOX_NAME,
            "action_name": f"{ActionLocation.CHANGE_FORM.value}-action",
            "may_read": may_read(request),
            "trash_days": settings.CHAT_TRASH_DAYS,
            **(extra_context or {}),
        }
        if may_read(request):
            context |= transcript(request, found)
        return TemplateResponse(request, "admin/conversations/conversation/transcript.html", context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Erase one conversation, as the action for several does."""
        found = self._found(request, object_id, self.has_delete_permission)
        return actions.erase(self, request, Conversation.objects.filter(pk=found.pk))  # type: ignore[return-value] # a page or a redirect

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """The search page. Raises `PermissionDenied` for staff who may not read messages."""
        if not may_read(request):
            raise PermissionDenied
        context = self._context(request, None) | {"title": "Search what was said"} | searching.results(request)
        return TemplateResponse(request, "admin/conversations/conversation/search.html", context)

    def _found(self, request: HttpRequest, object_id: str, may: Callable[[HttpRequest, Any], bool]) -> Conversation:
        found: Conversation | None = self.get_object(request, unquote(object_id))
        if not may(request, found):
            raise PermissionDenied
        if found is None:
            raise Http404
        return found

    def _act(self, request: HttpRequest, conversation: Conversation) -> HttpResponse:
        if request.POST.getlist(ACTION_CHECKBOX_NAME) != [str(conversation.pk)]:
            raise BadRequest("A form of this page names its conversation.")
        rows = Conversation.objects.filter(pk=conversation.pk)
        answer: HttpResponseBase | None = self.response_action(
            request, rows, action_location=ActionLocation.CHANGE_FORM
        )
        return answer or redirect(request.get_full_path())  # type: ignore[return-value] # a page, a file or a redirect

    def _context(self, request: HttpRequest, conversation: Conversation | None) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "title": "Conversation",
            "opts": self.opts,
            "media": self.media,
            "original": conversation,
            "conversation": conversation,
            "now": timezone.now(),
        }


def _facts(conversation: Conversation) -> Facts:
    facts: Facts = vars(conversation)["facts"]
    return facts


def _applies(action: str, conversation: Conversation) -> bool:
    """Whether the action has anything to do for the conversation."""
    if action == "stop":
        return conversation.generations.open().exists()
    return action != "trash" or conversation.trashed_at is None
