"""Who is signed in, read by a ready-made statement: every request asks."""

from functools import cache
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from django.db import connection

from accounts.models import User


class AccountBackend(AuthenticationBackend):  # type: ignore[misc] # allauth has no types
    """allauth's backend: people sign in with e-mail and password."""

    def get_user(self, user_id: UUID) -> User | None:
        """The person with this key, unless the account is not active. Causes a query."""
        names, statement = select()
        with connection.cursor() as cursor:
            cursor.execute(statement, [user_id])
            row = cursor.fetchone()
        return User.from_db(connection.alias, names, row) if row else None


@cache
def select() -> tuple[list[str], str]:
    """The names of the person's fields, and the statement that reads them."""
    names, listed = columns()
    return names, f"SELECT {listed} FROM {User._meta.db_table} WHERE id = %s AND is_active"  # noqa: S608 (own names)


@cache
def columns() -> tuple[list[str], str]:
    """The names of the person's fields, and their columns as statements list them."""
    fields = User._meta.concrete_fields
    table = User._meta.db_table
    return [field.attname for field in fields], ", ".join(f"{table}.{field.column}" for field in fields)
