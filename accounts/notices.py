"""Mail about events of an account."""

import json
import logging
import threading
from datetime import datetime
from typing import Any, NamedTuple

from allauth.core import context
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from chatbot.core import sql
from chatbot.core.process import Part

logger = logging.getLogger(__name__)

AT_ONCE = 100
TAKE = """
DELETE FROM accounts_ending AS taken USING accounts_user
WHERE taken.id IN (SELECT id FROM accounts_ending ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    AND accounts_user.id = taken.user_id
RETURNING changed, at, old_email, browsers, programs, tokens, accounts_user.email
"""


class Ending(NamedTuple):
    """What a change of a person's password, address or activity has ended."""

    changed: str
    at: datetime
    old_email: str
    browsers: int
    programs: int
    tokens: str
    """Names of ended access tokens, as JSON text."""
    email: str


_pending = Part(threading.local)


def send(email: str, name: str, details: dict[str, Any]) -> None:
    """Send the mail with this template to the address. A failure is logged: the event itself has already happened."""
    request = context.request
    reset = request.build_absolute_uri(reverse("account_reset_password")) if request else ""
    subject, _, body = render_to_string(f"account/notices/{name}.txt", details | {"reset": reset}).partition("\n")
    try:
        EmailMessage(f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{subject}", body.strip(), to=[email]).send()
    except OSError as error:
        logger.warning("A mail about an account could not be sent: %s", error)


def soon() -> None:
    """Send people mail about ended sessions and tokens, after the transaction or at the end of the request."""
    _pending().any = True
    transaction.on_commit(tell, robust=True)


def finish(**kwargs: Any) -> None:
    """Send the mail that is pending at the end of this thread's request."""
    if getattr(_pending(), "any", False):
        tell()


def tell() -> None:
    """Send a mail for each ending that the database has recorded, to the old and the new address."""
    _pending().any = False
    for ending in sql.rows(Ending, TAKE, [AT_ONCE]):
        details = ending._asdict() | {"tokens": json.loads(ending.tokens)}
        for email in dict.fromkeys((ending.old_email, ending.email)):
            send(email, "ended", details)
