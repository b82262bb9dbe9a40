"""Mail backends: a mail server, the console of a developer, or none."""

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends import console, smtp
from django.core.mail.backends.base import BaseEmailBackend

from accounts.outbox import outbox
from chatbot.core.environment import NOWHERE

logger = logging.getLogger(__name__)


def works() -> bool:
    """Whether mail can reach people, as the settings say."""
    backend: str = settings.MAILERS["default"]["BACKEND"]
    return backend != NOWHERE


class OutboxBackend(smtp.EmailBackend):
    """Passes mail to the threads that send it. Never waits or fails: a mail that cannot be sent is logged."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the mails; returns how many there was room for."""
        mails = outbox()
        return sum(mails.take(message, self._send_now) for message in email_messages)

    def _send_now(self, message: EmailMessage) -> None:
        super().send_messages([message])


class NowhereBackend(BaseEmailBackend):
    """Sends nothing, and logs that, without any part of the mail, which may give access to an account."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Drop the mails, with a line in the log."""
        logger.warning("A mail was not sent: EMAIL_URL is not set.")
        return 0


class ReadableConsoleBackend(console.EmailBackend):
    """Prints mail in readable form: links stay whole, whereas the encoded form would wrap them."""

    def write_message(self, message: EmailMessage) -> Any:
        """Print one mail to the stream."""
        self.stream.write(f"To: {', '.join(message.recipients())}\nSubject: {message.subject}\n\n{message.body}\n")
        self.stream.write(f"{'-' * 79}\n")
