"""Mail about what happens to an account."""

import json
import logging
import threading
from typing import Any

from allauth.core import context
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.urls import reverse

logger = logging.getLogger(__name__)

AT_ONCE = 100
TAKE = """
DELETE FROM accounts_ending AS taken USING accounts_user
WHERE taken.id IN (SELECT id FROM accounts_ending ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    AND accounts_user.id = taken.user_id
RETURNING changed, at, old_email, browsers, programs, tokens, accounts_user.email
"""
NAMES = ("changed", "at", "old_email", "browsers", "programs", "tokens", "email")

_pending = threading.local()


def send(email: str, name: str, details: dict[str, Any]) -> None:
    """Send the mail with this template to the address. One that cannot be sent is logged: what it tells of is done."""
    request = context.request
    reset = request.build_absolute_uri(reverse("account_reset_password")) if request else ""
    subject, _, body = render_to_string(f"account/notices/{name}.txt", details | {"reset": reset}).partition("\n")
    try:
        EmailMessage(f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{subject}", body.strip(), to=[email]).send()
    except OSError as error:
        logger.warning("A mail about an account could not be sent: %s", error)


def soon() -> None:
    """Tell people what has ended, after the transaction, or with the request at the latest."""
    _pending.any = True
    transaction.on_commit(tell, robust=True)


def finish(**kwargs: Any) -> None:
    """Tell what this thread's request has left to be told."""
    if getattr(_pending, "any", False):
        tell()


def tell() -> None:
    """Send a mail for each ending that the database has written down, to the old address and to the new one."""
    _pending.any = False
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [AT_ONCE])
        endings = [dict(zip(NAMES, row, strict=True)) for row in cursor.fetchall()]
    for ending in endings:
        ending["tokens"] = json.loads(ending["tokens"])
        for email in dict.fromkeys((ending["old_email"], ending["email"])):
            send(email, "ended", ending)
