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
    asks_nobody: bool = False
    """Whether a call that has to ask the person is refused, because nobody is there to be asked."""

    def options(self) -> dict[str, Any]:
        """The field of the request to the model, if any tool is offered."""
        return {"tools": [tool.for_model() for tool in self.tools.values()]} if self.tools else {}

    def has_to_ask(self, names: Collection[str]) -> bool:
        """Whether the person is asked before any of these tools, as far as they have not allowed it."""
        return any(self.policies.get(name) == "ask" for name in names)

    def refuses(self, name: str) -> bool:
        """Whether this tool does not run because the person would have to be asked."""
        return self.asks_nobody and name not in self.allowed and self.has_to_ask([name])


NO_OFFER = Offer({}, {})

SITE = "site"
"""The word by which a program asks for the site's own tools."""

SITE_TOOLS: Mapping[str, Any] = {"tools": SITE}
"""The option of a program's reply for which the model is offered the site's tools; it is not sent to the provider."""


def offer_to(
    user_id: UUID, *, off: Collection[str] = (), allowed: Collection[str] = (), asks_nobody: bool = False
) -> Offer:
    """What the model is offered in an answer for this person. Causes a query if the site has tools, and those of the
    person's permissions if a tool needs one."""
    tools = [tool for tool in registry.all_tools() if tool.name not in off] if settings.CHAT_TOOLS else []
    if not tools:
        return NO_OFFER
    policies = registry.policies(tools)
    # Each reply waits for this: the person is not looked up for nothing.
    user = User.objects.get(pk=user_id) if any(tool.permission for tool in tools) else None
    usable = {
        tool.name: tool
        for tool in tools
        if policies[tool.name] != "never" and (not tool.permission or (user and tool.may_be_used_by(user)))
    }
    offer = Offer(usable, policies, allowed, asks_nobody)
    return offer if fits(offer.options()) else NO_OFFER


def takes_site_tools(options: Mapping[str, Any] | None) -> bool:
    """Whether a reply with these options of a program has the site's tools: a person's reply has them, too."""
    return options is None or options.get("tools") == SITE


def passed_on(options: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The options of a program's reply that go to the provider; None for a person's reply."""
    if options is None or options.get("tools") != SITE:
        return options
    return {name: value for name, value in options.items() if name != "tools"}


def fits(offered: Mapping[str, Any]) -> bool:
    """Whether the tools leave half of the model's window for what is said."""
    return context.tokens_of_json(offered) <= context.available() // 2
