"""The signed-in person, read by a prepared SQL statement because every request needs it."""

from functools import cache
from uuid import UUID

from django.db import connection

from accounts.allauth_inside import OwnAddress
from accounts.models import User
from chatbot.core import sql


class AccountBackend(OwnAddress):
    """allauth's backend: people sign in with e-mail and password. Other addresses that were written down for an
    account open nothing."""

    def get_user(self, user_id: UUID) -> User | None:
        """The person with this key, unless the account is not active. Causes a query."""
        names, statement = select()
        return find(names, statement, [user_id])

    def user_can_authenticate(self, user: User) -> bool:
        """Whether the account is active, and its address verified where that is required first."""
        return user.is_active and not user.awaits_verification

    @classmethod
    def is_told(cls, user: User) -> bool:
        """Whether somebody with the right password learns why they cannot sign in: not that the account waits to be
        verified. Who signed up with an address would learn by it whether there had been an account before."""
        return not user.awaits_verification


def find(names: list[str], statement: str, parameters: sql.Parameters) -> User | None:
    """The person that the statement selects, or None. Causes a query."""
    return sql.first(lambda *values: User.from_db(connection.alias, names, values), statement, parameters)


@cache
def select() -> tuple[list[str], str]:
    """Names of the person's fields, and the statement that reads them by key."""
    names, listed = columns()
    return names, f"SELECT {listed} FROM {User._meta.db_table} WHERE id = %s AND is_active"  # noqa: S608 (own names)


@cache
def select_with_program() -> tuple[list[str], str]:
    """Names of the person's fields, and the statement that also requires a program's sign-in that has not ended."""
    names, statement = select()
    return names, f"{statement} AND EXISTS (SELECT FROM accounts_refreshtoken AS kept WHERE kept.id = %s)"


@cache
def columns() -> tuple[list[str], str]:
    """Names of the person's fields, and their columns as SQL."""
    fields = User._meta.concrete_fields
    table = User._meta.db_table
    return [field.attname for field in fields], ", ".join(f"{table}.{field.column}" for field in fields)
