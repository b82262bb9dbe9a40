"""`manage.py runserver`: serve ASGI, so that streams are not buffered in development either."""

import argparse
import http.client
import socket
from typing import Any

import psycopg
import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

EVERYWHERE = "0.0.0.0"  # noqa: S104 (compared, not bound)
ANSWER_SECONDS = 3.0
STILL_UP = (
    "An earlier server still runs there, perhaps because its make was killed."
    " `pkill -f 'manage.py runserver.*:{port}'` ends it; or choose another port: make run PORT=8001."
)
SHUTDOWN_SECONDS = 3
"""Seconds that open streams may delay the server's end beyond the replies' grace period."""


class Command(BaseCommand):
    """Serves the site with uvicorn, for development and for one person's computer."""

    help = "Serve the site over ASGI. Reloads when code changes if DEBUG is true."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of Django's own command, and `--migrate`."""
        parser.add_argument("addrport", nargs="?", default="127.0.0.1:8000", help="port, or address:port")
        parser.add_argument("--noreload", action="store_false", dest="reload", help="Do not reload when code changes.")
        parser.add_argument("--migrate", action="store_true", help="Apply the migrations first.")
        for word in ("--nothreading", "--nostatic", "--insecure"):
            parser.add_argument(word, action="store_true", help=argparse.SUPPRESS)

    def handle(self, *args: Any, addrport: str, reload: bool, migrate: bool, **options: Any) -> None:
        """Serve the site until it is interrupted."""
        host, port = address(addrport)
        self.check()
        refuse_taken(host, port)
        refuse_unreachable_database()
        if migrate:
            call_command("migrate", verbosity=0, skip_checks=True)
        else:
            self.check_migrations()
        shown = " and ".join(f"http://{f'[{name}]' if ':' in name else name}:{port}/" for name in names_of(host))
        self.stdout.write(f"The chat is at {shown} (Ctrl-C stops it)")
        watched = [str(settings.BASE_DIR / name) for name in ("accounts", "chatbot", "conversations", "tasks", "tools")]
        reload = reload and settings.DEBUG
        uvicorn.run(
            "chatbot.asgi:application",
            host=host,
            port=port,
            reload=reload,
            reload_dirs=watched if reload else None,
            lifespan="on",
            log_level="warning",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS + round(settings.CHAT_SHUTDOWN_GRACE),
        )


def names_of(host: str) -> list[str]:
    """Host names under which a server is reached that listens on `host`: here and, if it does, from other machines."""
    if host not in {EVERYWHERE, "::"}:
        return [host]
    family, far = (socket.AF_INET6, "2001:db8::1") if host == "::" else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as outwards:
            # This sends nothing: the system chooses the address from which this machine would send.
            outwards.connect((far, 9))
            return ["localhost", outwards.getsockname()[0]]
    except OSError:
        return ["localhost"]


def refuse_taken(host: str, port: int) -> None:
    """Raise `CommandError` when another program listens on this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            advice = STILL_UP.format(port=port) if answers(host, port) else "Try another port."
            raise CommandError(f"{host}:{port} cannot be used ({error.strerror}). {advice}") from error


def answers(host: str, port: int) -> bool:
    """Whether a server of this chat answers on this address."""
    connection = http.client.HTTPConnection("127.0.0.1" if host == EVERYWHERE else host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read() == b"ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def refuse_unreachable_database() -> None:
    """Raise `CommandError` with the database's own message; the pool would only report a time-out."""
    try:
        parameters = connection.get_connection_params()
    except OperationalError as error:
        # The error of the embedded database, which contains advice.
        raise CommandError(str(error)) from error
    try:
        psycopg.connect(**parameters).close()
    except psycopg.OperationalError as error:
        raise CommandError(f"The database of DATABASE_URL cannot be reached: {error}") from error


def address(text: str) -> tuple[str, int]:
    """Host and port of `8000`, `0.0.0.0:8000` or `[::1]:8000`. Raises `CommandError` for anything else."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not port.isdecimal() or int(port) >= 2**16 or (":" in host and not bracketed):
        raise CommandError(f"{text!r} is not a port, nor an address and a port such as 127.0.0.1:8000.")
    return host.strip("[]") or "127.0.0.1", int(port)
