"""People in the admin: their accounts, and the erasure of everything that is theirs."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.options import ActionLocation
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import UserAdmin
from accounts.models import User
from accounts.readings import staff
from conversations.upkeep import erasure
from conversations.upkeep.erasure import NotErased

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class PersonAdmin(UserAdmin):
    """Admin of accounts with a link to each person's conversations; a deletion erases everything of the person.

    A base: `conversations.admin.limits` adds the limits and registers it.
    """

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """The link to the conversations and, for everybody but superusers, the fields that grant permissions."""
        fixed = () if staff(request).is_superuser else POWERS
        return (*super().get_readonly_fields(request, obj), *fixed, "conversations")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """The account's fields and, for an account that exists, the link to its conversations."""
        fieldsets = super().get_fieldsets(request, obj)
        return (*fieldsets, ("Activity", {"fields": ("conversations",)})) if obj else fieldsets

    @admin.display
    def conversations(self, person: User) -> SafeString:
        """Link to the list of the person's conversations."""
        address = reverse("admin:conversations_conversation_changelist")
        return format_html('<a href="{}?user__id__exact={}">Conversations</a>', address, person.pk)

    def get_actions(self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """This site's actions, without Django's deletion of several people: it would leave sessions and log entries."""
        found: dict[str, Any] = super().get_actions(request, action_location=action_location)
        found.pop("delete_selected", None)
        return found

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Erase a person, after a page that shows what is removed and asks for confirmation."""
        person = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, person):
            raise PermissionDenied
        if person is None:
            raise Http404
        is_self = person.pk == staff(request).pk
        if request.method == "POST" and not is_self:
            return self._erase(request, person)
        counts = {label: count for label, count in erasure.traces(person).items() if count}
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": "Erase this person permanently?",
            "opts": self.opts,
            "original": person,
            "counts": sorted(counts.items()),
            "is_self": is_self,
        }
        return TemplateResponse(request, "admin/accounts/user/erase.html", context)

    def _erase(self, request: HttpRequest, person: User) -> HttpResponse:
        self._record(request, "Began to erase a person permanently.")
        try:
            receipt = erasure.erase(person)
        except NotErased as error:
            self.message_user(request, f"Not everything could be removed: {error}. Try again.", messages.ERROR)
            return redirect("admin:accounts_user_changelist")
        rows = sum(receipt.removed.values())
        self._record(request, f"Erased a person permanently: {rows:,} rows.")
        told = f"{receipt.email} is erased: {rows:,} rows. Nothing is left in {len(receipt.looked_at)} tables."
        self.message_user(request, told, messages.SUCCESS)
        return redirect("admin:accounts_user_changelist")

    def _record(self, request: HttpRequest, said: str) -> None:
        LogEntry.objects.create(
            user=staff(request),
            content_type=ContentType.objects.get_for_model(User),
            object_repr=erasure.ERASED,
            action_flag=DELETION,
            change_message=said,
        )
