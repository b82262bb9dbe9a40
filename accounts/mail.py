"""Where mail goes: to a mail server, to the console of a developer, or nowhere."""

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
    """Whether mail reaches people."""
    backend: str = settings.MAILERS["default"]["BACKEND"]
    return backend != NOWHERE


class OutboxBackend(smtp.EmailBackend):
    """Hands mail to the threads that send it. Never waits, never fails: the log tells of a mail that was not sent."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Take the mails; returns how many there was room for."""
        mails = outbox()
        return sum(mails.take(message, self._send_now) for message in email_messages)

    def _send_now(self, message: EmailMessage) -> None:
        super().send_messages([message])


class NowhereBackend(BaseEmailBackend):
    """Sends nothing, and says so in the log, without a word of the mail: it may open an account."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send nothing."""
        logger.warning("A mail was not sent: EMAIL_URL is not set.")
        return 0


class ReadableConsoleBackend(console.EmailBackend):
    """Prints mail as a person reads it: a link stays whole, where the encoded form would break it over two lines."""

    def write_message(self, message: EmailMessage) -> Any:
        """Print one mail."""
        self.stream.write(f"To: {', '.join(message.recipients())}\nSubject: {message.subject}\n\n{message.body}\n")
        self.stream.write(f"{'-' * 79}\n")
