"""Outgoing mail: sent by threads of their own, so that no request waits for a mail server.

A process keeps a bounded number of mails, in memory. One that cannot be sent is tried again after growing pauses. Mails
left at the end of the process have some seconds, then they are lost: people request them again.
"""

import atexit
import heapq
import logging
import smtplib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.core.mail import EmailMessage

from chatbot.core import faults
from chatbot.core.process import Part

logger = logging.getLogger(__name__)

MAILS_MAX = 100
THREADS = 2
PAUSES = (5.0, 30.0, 120.0)
"""Seconds between the attempts to send a mail."""
END_SECONDS, COMMAND_END_SECONDS = 3.0, 15.0
"""Seconds that the end of a server process, and of a command, waits for mails to be sent."""
PERMANENT = 500
"""Lowest reply code of a mail server that is a permanent refusal."""

Send = Callable[[EmailMessage], object]


@dataclass(order=True, slots=True)
class Mail:
    """A mail that is to be sent, with its next attempt."""

    due: float
    """Time of the next attempt (`time.monotonic`)."""
    message: EmailMessage = field(compare=False)
    send: Send = field(compare=False)
    attempts: int = field(default=0, compare=False)


class Outbox:
    """The outgoing mails of a process."""

    def __init__(self, size: int = MAILS_MAX, threads: int = THREADS, pauses: tuple[float, ...] = PAUSES) -> None:
        self.size, self.pauses = size, pauses
        self._room = threads
        self._waiting: list[Mail] = []
        self._sending = 0
        self._has_ended = False
        self._changed = threading.Condition()

    @property
    def is_full(self) -> bool:
        """Whether no further mail is accepted."""
        return len(self._waiting) + self._sending >= self.size

    def take(self, message: EmailMessage, send: Send) -> bool:
        """Queue the mail, to be sent with `send`; returns False when too many are waiting. Never waits."""
        with self._changed:
            if self.is_full:
                logger.error("A mail was not sent: %s others are waiting for the mail server.", self.size)
                return False
            self._put(Mail(time.monotonic(), message, send))
            return True

    def end(self, seconds: float) -> None:
        """Wait until all mails are sent, at most `seconds`; does not wait for further attempts."""
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._has_ended:
                return
            self._has_ended = True
            while self._sending or any(not mail.attempts for mail in self._waiting):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if lost := len(self._waiting) + self._sending:
                logger.error("The process ended before %s mails were sent.", lost)

    def _put(self, mail: Mail) -> None:
        heapq.heappush(self._waiting, mail)
        if self._room:
            self._room -= 1
            threading.Thread(target=self._work, name="mail", daemon=True).start()
        self._changed.notify_all()

    def _work(self) -> None:
        """Send one mail after the other, as long as there are any."""
        while mail := self._next():
            again = self._again(mail)
            with self._changed:
                self._sending -= 1
                if again:
                    heapq.heappush(self._waiting, mail)
                self._changed.notify_all()

    def _next(self) -> Mail | None:
        with self._changed:
            while self._waiting:
                pause = self._waiting[0].due - time.monotonic()
                if pause <= 0:
                    self._sending += 1
                    return heapq.heappop(self._waiting)
                self._changed.wait(pause)
            self._room += 1
            return None

    def _again(self, mail: Mail) -> bool:
        """Send the mail; returns whether it must be tried again."""
        try:
            mail.send(mail.message)
        except Exception as error:  # Whatever a mail server says, the next mail is sent.
            words = faults.described(error)
            if is_final(error) or mail.attempts == len(self.pauses):
                logger.error("A mail could not be sent: %s", words)
                return False
            logger.warning("A mail could not be sent, and will be tried again: %s", words)
            mail.due = time.monotonic() + self.pauses[mail.attempts]
            mail.attempts += 1
            return True
        return False


def is_final(error: Exception) -> bool:
    """Whether the server has refused the mail permanently, or the mail is invalid."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= PERMANENT and not isinstance(error, smtplib.SMTPAuthenticationError)
    return not isinstance(error, OSError)


outbox = Part(Outbox)


@atexit.register
def end_command() -> None:
    """Wait for the mails of a command; a server process has waited already, and less."""
    outbox().end(COMMAND_END_SECONDS)
