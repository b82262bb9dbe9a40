"""Tools in the admin: what each decorator says, and the policies that staff set."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts.models import User
from tools import registry
from tools.models import Policy, ToolPolicy
from tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Row:
    """One tool in the list, or a policy of a tool that is no longer there."""

    name: str
    address: str
    """Where its policy is changed, or set for the first time."""
    tool: Tool | None
    policy: str
    """What happens when the model calls it, in words."""
    decision: ToolPolicy | None
    """The administrator's decision; None where the decorator decides."""
    decided_by: str

    @property
    def says(self) -> str:
        """What the tool's decorator says, in words."""
        return ", ".join(_says(self.tool)) if self.tool else ""


def _says(tool: Tool) -> Iterator[str]:
    if tool.confirm:
        yield "asks first"
    if tool.read_only:
        yield "changes nothing"
    if tool.idempotent:
        yield "may be repeated"
    if not (tool.atomic or tool.read_only):
        yield "acts outside of the database" if not tool.is_async else "asynchronous"
    if tool.permission:
        yield f"needs {tool.permission}"


def _undecided() -> list[tuple[str, str]]:
    """Choices of the tools without a policy. Causes a query."""
    decided = ToolPolicy.decided()
    return [(tool.name, tool.name) for tool in registry.all_tools() if tool.name not in decided]


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg] # not subscriptable at run time
    """The policy of one tool of the installed apps."""

    name = forms.ChoiceField(choices=_undecided, label="Tool")


@admin.register(ToolPolicy)
class ToolPolicyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Admin of the tools, each with its policy."""

    form = PolicyForm
    fields = ("name", "policy")
    radio_fields: ClassVar = {"policy": admin.VERTICAL}
    actions = None
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: ToolPolicy | None = None) -> tuple[str, ...]:
        """The tool itself, once it has a policy."""
        return ("name",) if obj else ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list of all tools, with and without a policy. Causes two queries more than Django's."""
        context = {"rows": list(rows(may_add=self.has_add_permission(request))), "faults": registry.faults()}
        return super().changelist_view(request, context | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: ToolPolicy, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Store the policy, with who has set it."""
        obj.changed_at, obj.changed_by = timezone.now(), request.user.pk
        super().save_model(request, obj, form, change)


def rows(*, may_add: bool) -> Iterator[Row]:
    """The tools by name, then policies of those that are no longer there. Causes two queries."""
    decisions = {decision.name: decision for decision in ToolPolicy.objects.order_by("name")}
    keys = {decision.changed_by for decision in decisions.values() if decision.changed_by}
    people = {person.pk: person.email for person in User.objects.filter(pk__in=keys).only("email")}
    tools = {tool.name: tool for tool in registry.all_tools()}
    for name in [*tools, *(name for name in decisions if name not in tools)]:
        tool, decision = tools.get(name), decisions.get(name)
        yield Row(
            name=name,
            address=_address(name, decision, may_add=may_add),
            tool=tool,
            policy=_in_words(tool, decision),
            decision=decision,
            decided_by=people.get(decision.changed_by, "") if decision and decision.changed_by else "",
        )


def _address(name: str, decision: ToolPolicy | None, *, may_add: bool) -> str:
    if decision:
        return reverse("admin:tools_toolpolicy_change", args=(decision.pk,))
    return f"{reverse('admin:tools_toolpolicy_add')}?{urlencode({'name': name})}" if may_add else ""


def _in_words(tool: Tool | None, decision: ToolPolicy | None) -> str:
    if decision:
        return str(Policy(decision.policy).label)
    return str(Policy.ASK.label if tool and tool.confirm else Policy.ALLOW.label)
