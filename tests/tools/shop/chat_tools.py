"""Tools of a shop, as a developer writes them."""

from datetime import date

from accounts.models import User
from tools.define import Call, Table, tool


@tool
def order(user: User, call: Call, article: str, on: date | None = None) -> str:
    """Order an article from the shop.

    Args:
        article: What to order.
        on: The day on which it is to come,
            if one was said.
    """
    return f"{user} ordered {article} for {on}: {call.key}"


@tool(read_only=True, permission="auth.view_group")
async def stock() -> Table:
    """List what the shop has."""
    return Table(("article", "pieces"), [("tea", 3)])


def help_with(words: str) -> str:
    """Not a tool, as nothing marks it."""
    return words
