"""What the model is offered in a reply: the tools that it may call, and which of them may run without asking."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.conf import settings

from accounts.models import User
from conversations.replies import context
from tools import registry
from tools.registry import Tool

type Policy = Literal["never", "ask", "allow"]


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that the model may call in a reply, and what may run without asking."""

    tools: Mapping[str, Tool]
    policies: Mapping[str, Policy]
    allowed: Collection[str] = ()
    """Tools that the person allowed for the whole conversation."""

    def options(self) -> dict[str, Any]:
        """The field of the request to the model, if any tool is offered."""
        return {"tools": [tool.for_model() for tool in self.tools.values()]} if self.tools else {}

    def has_to_ask(self, names: Collection[str]) -> bool:
        """Whether the person is asked before any of these tools, as far as they have not allowed it."""
        return any(self.policies.get(name) == "ask" for name in names)


NO_OFFER = Offer({}, {})


def offer_to(user_id: UUID, *, off: Collection[str], allowed: Collection[str]) -> Offer:
    """What the model is offered in a reply for this person. Causes queries if the site has tools."""
    if not settings.CHAT_TOOLS or not registry.all_tools():
        return NO_OFFER
    tools = registry.offered_to(User.objects.get(pk=user_id), without=off)
    offer = Offer({tool.name: tool for tool in tools}, registry.policies(tools) if tools else {}, allowed)
    return offer if fits(offer.options()) else NO_OFFER


def fits(offered: Mapping[str, Any]) -> bool:
    """Whether the tools leave half of the model's window for what is said."""
    return context.tokens_of_json(offered) <= context.available() // 2
