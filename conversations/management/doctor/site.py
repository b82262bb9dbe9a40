"""Checks of what this machine can see: settings, database, model, static files, clock, mail."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks, mail
from django.db import connection

from chatbot import readiness
from conversations import llm
from conversations.errors import UserFacingError
from conversations.llm import ChatMessage
from conversations.management.doctor.findings import Finding, failure, ok, warning

OLDEST_POSTGRES = 15
CLOCK_SECONDS = 5.0
MODEL_SECONDS = 60.0
WATCHING_SECONDS = 3.0
NAMED = 5
"""Names that one line tells."""

MUST_BE_ON = {
    "fsync": "A failing machine would lose messages and may destroy the database.",
    "full_page_writes": "A failing machine may destroy the database.",
    "autovacuum": "Tables and indexes would grow for ever.",
    "synchronous_commit": "A failing machine would lose the last messages.",
}


def everything() -> Iterator[Finding]:
    """All checks, one after the other; one that breaks is a finding too."""
    found: list[Callable[[], Iterator[Finding]]] = [of_settings, database, model, static_files, clock, mailer, watching]
    for check in found:
        try:
            yield from check()
        except Exception as error:  # the doctor goes on to the next one, whatever this one met
            name = check.__name__.removeprefix("of_").replace("_", " ")
            yield failure(f"{name}: {error or type(error).__name__}", "See what it says, mend it, and run this again.")


def of_settings() -> Iterator[Finding]:
    """Django's own checks for deployment, and DEBUG."""
    found = [message for message in checks.run_checks(include_deployment_checks=True) if not message.is_silenced()]
    for message in found:
        level = failure if message.level >= checks.ERROR else warning
        yield level(f"settings: {message.msg}", message.hint or "See the Django documentation of this check.")
    if settings.DEBUG and not any("DEBUG" in message.msg for message in found):
        yield warning("settings: DEBUG is true", "Set DEBUG=false on a server.")
    if not found and not settings.DEBUG:
        yield ok("settings")


def database() -> Iterator[Finding]:
    """Reachable, new enough, as the models say, and not set to lose data."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0]) // 10_000
        cursor.execute("SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid")
        indexes = dict(cursor.fetchall())
        cursor.execute("SELECT name, setting FROM pg_settings")
        values = dict(cursor.fetchall())
    if version < OLDEST_POSTGRES:
        yield failure(f"database: PostgreSQL {version} is too old", f"Upgrade it to {OLDEST_POSTGRES} or newer.")
    else:
        yield ok(f"database: PostgreSQL {version}")
    if pending := readiness.pending_migrations():
        yield failure(f"database: migrations are not applied: {some(pending)}", "Run `manage.py migrate`.")
    else:
        yield ok("database: every migration is applied")
    lacking = sorted(name for name in expected_indexes() if not indexes.get(name))
    if lacking:
        yield failure(
            f"database: missing or invalid indexes: {some(lacking)}",
            "`manage.py sqlmigrate` shows how each was made; an invalid one is dropped and made again CONCURRENTLY.",
        )
    else:
        yield ok("database: every index is there")
    yield from of_database_settings(values)


def of_database_settings(values: dict[str, str]) -> Iterator[Finding]:
    """The server's settings, by name, as `pg_settings` has them."""
    found = [
        warning(f"database: {name} is {values[name]}", f"{why} Set {name} to on in postgresql.conf.")
        for name, why in MUST_BE_ON.items()
        if values[name] == "off"
    ]
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if int(values["max_connections"]) < pool + 10:
        found.append(
            warning(
                f"database: max_connections is {values['max_connections']}, one process may take {pool}",
                "Raise it, or lower DATABASE_POOL_SIZE: processes times pool size, and ten for yourself.",
            )
        )
    if values["log_min_error_statement"] not in {"panic", "fatal"}:
        found.append(
            warning(
                "database: refused statements are logged with their values, which may be what people said",
                "Set log_min_error_statement to panic and log_error_verbosity to terse.",
            )
        )
    yield from found or [ok("database: settings")]


def some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def expected_indexes() -> set[str]:
    """The names of the indexes and unique constraints that the models declare."""
    names = set[str]()
    for model in apps.get_models():
        names |= {index.name for index in model._meta.indexes}
        names |= {constraint.name for constraint in model._meta.constraints if hasattr(constraint, "deferrable")}
    return names


def model() -> Iterator[Finding]:
    """The model answers: a real call that ends with its first token."""
    if llm.is_demo():
        yield warning("model: the small demo model answers", "Set OPENAI_API_KEY or OPENAI_BASE_URL.")
    name = settings.CHAT_MODELS[0] if settings.CHAT_MODELS else ""
    began = time.monotonic()
    try:
        asyncio.run(_first_event(name))
    except TimeoutError:
        yield failure(f"model: nothing came within {MODEL_SECONDS:g} s", "Look at the provider's own status.")
    except UserFacingError as error:
        detail = f" ({error.__cause__})" if error.__cause__ else ""
        yield failure(f"model: {error}{detail}", "Check OPENAI_API_KEY, OPENAI_BASE_URL and CHAT_MODELS.")
    else:
        yield ok(f"model: {name or 'the first that is listed'} answered after {time.monotonic() - began:.1f} s")


async def _first_event(name: str) -> None:
    try:
        async with asyncio.timeout(MODEL_SECONDS):
            asked = llm.stream([ChatMessage(role="user", content="Say ok.")], model=name)
            async with aclosing(asked) as events:
                async for event in events:
                    if isinstance(event, llm.TextDelta | llm.ReasoningDelta | llm.Finish):
                        return
    finally:
        await llm.aclose()


def static_files() -> Iterator[Finding]:
    """Collected, hashed and as they are in this version, where DEBUG is false."""
    if settings.DEBUG:
        yield ok("static files: served from the checkout, in debug")
        return
    source = next(path for path in sorted(Path(settings.STATICFILES_DIRS[0]).rglob("*.css")))
    name = source.relative_to(settings.STATICFILES_DIRS[0]).as_posix()
    try:
        stored = staticfiles_storage.url(name).removeprefix(settings.STATIC_URL)
        is_there = Path(settings.STATIC_ROOT, stored).exists()
    except ValueError:
        # The list of hashed names lacks it.
        is_there = False
    if not is_there:
        yield failure(f"static files: {name} is not collected", "Run `manage.py collectstatic --noinput`.")
    else:
        yield ok("static files: collected")


def clock() -> Iterator[Finding]:
    """This machine's clock and the database's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        difference = float(cursor.fetchone()[0]) - time.time()
    yield clock_finding(difference, "the database's")


def clock_finding(difference: float, whose: str) -> Finding:
    """What to say of a clock that is so many seconds ahead of this one."""
    if abs(difference) > CLOCK_SECONDS:
        return failure(
            f"clock: {whose} is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} this machine's",
            "Run a time service (chrony, systemd-timesyncd) on both machines.",
        )
    return ok(f"clock: as {whose}")


def mailer() -> Iterator[Finding]:
    """Whether mail can be handed over."""
    default = mail.mailers["default"]
    if "smtp" not in type(default).__module__:
        yield warning("mail: is printed, not sent", "Set EMAIL_URL, such as smtp+tls://user:password@host:587.")
        return
    try:
        default.open()
        default.close()
    except OSError as error:
        yield failure(f"mail: {error}", "Check host, port, user and password in EMAIL_URL.")
    else:
        yield ok("mail: the server takes it")


WATCHING = {"OTEL_EXPORTER_OTLP_ENDPOINT": "opentelemetry", "SENTRY_DSN": "sentry_sdk"}
"""Where traces and crashes are sent, and the package that does it."""


def watching() -> Iterator[Finding]:
    """What the site is watched by is installed and can be reached."""
    for name, package in WATCHING.items():
        address = urlsplit(getattr(settings, name))
        if not address.hostname:
            continue
        if find_spec(package) is None:
            yield failure(f"watching: {name} is set, {package} is not installed", "Install requirements-telemetry.txt.")
            continue
        try:
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname, port), WATCHING_SECONDS).close()
        except OSError as error:
            yield warning(f"watching: {address.hostname} cannot be reached ({error})", f"Check {name}.")
        else:
            yield ok(f"watching: {address.hostname} of {name} is there")
    if not settings.METRICS_TOKEN:
        yield ok("watching: nobody sees /metrics, without METRICS_TOKEN")
