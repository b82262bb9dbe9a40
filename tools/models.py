"""What administrators decide about tools, beyond what their decorators say."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import User
from chatbot.core import sql


class Policy(models.TextChoices):
    """What happens when the model wants to call a tool."""

    NEVER = "never", "Never"
    ASK = "ask", "Ask the person first"
    ALLOW = "allow", "Allow"


class ToolPolicy(models.Model):
    """An administrator's decision about a tool; it lasts while the tool's app is not installed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=64, verbose_name="tool")
    policy = models.CharField(max_length=5, choices=Policy)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    # No foreign key: rows that refer to staff can be changed by superusers only.
    changed_by = models.UUIDField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "tool policies"
        constraints: ClassVar = [
            # Not `unique=True`, which would make a second index, for patterns.
            models.UniqueConstraint(fields=("name",), name="one_policy_per_tool"),
            models.CheckConstraint(condition=models.Q(policy__in=Policy.values), name="tool_policy_is_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def decided(cls) -> dict[str, Policy]:
        """The policy of each tool for which there is one. Causes a query."""
        return {name: Policy(policy) for name, policy in cls.objects.values_list("name", "policy")}

    @classmethod
    def decided_for(cls, name: str) -> Policy | None:
        """The policy of one tool, if there is one. Causes a query."""
        found = sql.value(f"SELECT policy FROM {cls._meta.db_table} WHERE name = %s", [name])  # noqa: S608 (own name)
        return Policy(found) if found else None

    @classmethod
    def decide(cls, name: str, policy: Policy, by: User) -> "ToolPolicy":
        """Set the policy of a tool."""
        key: UUID = by.pk
        values = {"policy": policy, "changed_at": timezone.now(), "changed_by": key}
        return cls.objects.update_or_create(name=name, defaults=values)[0]
