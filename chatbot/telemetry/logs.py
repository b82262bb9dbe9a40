"""Log lines: one JSON object each, or one line of text; never what people or models said.

Only a record's message, level and origin are written, and the fields that this project's own code adds: attributes that
libraries add to their records (requests, connections) contain addresses with search terms.
"""

import asyncio
import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from chatbot.core import faults
from chatbot.telemetry import origin

logger = logging.getLogger(__name__)

TALKATIVE = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "django.db.backends", "django.template")
"""Loggers that would write requests, statements and variables with their contents."""


class Formatter(logging.Formatter):
    """Base of both formats: exceptions are described without their words, in messages and in tracebacks.

    With `frank`, on a developer's own computer, they keep their words.
    """

    def __init__(self, *, frank: bool = False) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")
        self.frank = frank

    def message(self, record: logging.LogRecord) -> str:
        """The record's message, with exceptions described and keys removed."""
        return record.getMessage() if self.frank else faults.without_keys(self._described(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's name)
        """The places in the code that the record's exception came from."""
        return super().formatException(ei) if self.frank or ei[1] is None else faults.traced(ei[1])

    def _described(self, record: logging.LogRecord) -> str:
        message = faults.described(record.msg) if isinstance(record.msg, BaseException) else str(record.msg)
        if not record.args:
            return message
        if not isinstance(record.args, tuple):
            return message % record.args
        return message % tuple(
            faults.described(value) if isinstance(value, BaseException) else value for value in record.args
        )


class TextFormatter(Formatter):
    """Formats records as lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, the request's id; then the traceback."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        line = (
            f"{moment:%Y-%m-%d %H:%M:%S},{record.msecs:03.0f} {record.levelname} {record.name} {self.message(record)}"
        )
        if request_id := origin.request_id():
            line = f"{line} [{request_id}]"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JSONFormatter(Formatter):
    """Formats records as JSON lines for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object: time (RFC 3339), level, logger, message, then the fields of the request."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message(record),
            **origin.fields(),
            **getattr(record, "own", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Discretion(logging.Filter):
    """Drops records of talkative loggers below WARNING, whatever level their packages set."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be logged."""
        return record.levelno >= logging.WARNING or not record.name.startswith(TALKATIVE)


def watch_loop() -> None:
    """Log exceptions that end tasks of the running loop, and threads: Python would print the exceptions' words.

    It would also print a line that cannot be written, with all its values.
    """
    logging.raiseExceptions = settings.DEBUG
    asyncio.get_running_loop().set_exception_handler(_tell_of_task)
    threading.excepthook = _tell_of_thread


def _tell_of_task(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    logger.error("%s", context.get("message"), exc_info=error or False)


def _tell_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value and not isinstance(args.exc_value, SystemExit):
        logger.error("A thread has ended: %s", args.thread and args.thread.name, exc_info=args.exc_value)
