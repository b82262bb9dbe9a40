"""Checks of settings, model, static files, clock and mail; and all checks together."""

import asyncio
import filecmp
import socket
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks, mail
from django.db import connection

from chatbot.core import sql
from chatbot.core.errors import UserFacingError
from conversations.errors.providers import ProviderRefused
from conversations.llm import service as llm
from conversations.llm.service import ChatMessage
from conversations.management.doctor.database import database
from conversations.management.doctor.findings import Finding, failure, ok, some, warning

CLOCK_SECONDS = 5.0
MODEL_SECONDS = 60.0
WATCHING_SECONDS = 3.0


def everything() -> Iterator[Finding]:
    """All checks, one after the other; an exception in one becomes a finding."""
    for check in (of_settings, proxies, database, model, static_files, clock, mailer, watching):
        try:
            yield from check()
        except Exception as error:  # the doctor continues with the next check in any case
            name = check.__name__.removeprefix("of_").replace("_", " ")
            yield failure(f"{name}: {error or type(error).__name__}", "Fix what it says, then run this again.")


def of_settings() -> Iterator[Finding]:
    """Findings of Django's own deployment checks, and about DEBUG."""
    found = [message for message in checks.run_checks(include_deployment_checks=True) if not message.is_silenced()]
    for message in found:
        level = failure if message.level >= checks.ERROR else warning
        yield level(f"settings: {message.msg}", message.hint or "See the Django documentation of this check.")
    if settings.DEBUG and not any("DEBUG" in message.msg for message in found):
        yield warning("settings: DEBUG is true", "Set DEBUG=false on a server.")
    if not found and not settings.DEBUG:
        yield ok("settings")


def proxies() -> Iterator[Finding]:
    """Whether the site trusts a proxy's headers about the client."""
    if settings.HTTPS_ONLY and not settings.FORWARDED_ALLOW_IPS:
        yield warning(
            "proxies: none is trusted, and HTTPS_ONLY is on",
            "Behind a proxy, set FORWARDED_ALLOW_IPS to its address: without it every request is redirected endlessly.",
        )
    else:
        yield ok(f"proxies: {some(settings.FORWARDED_ALLOW_IPS) or 'none'} trusted")


def model() -> Iterator[Finding]:
    """Whether the model answers a real request for one token."""
    if llm.is_demo():
        yield warning("model: the small demo model answers", "Set OPENAI_API_KEY or OPENAI_BASE_URL.")
    name = settings.CHAT_MODELS[0] if settings.CHAT_MODELS else ""
    began = time.monotonic()
    try:
        asyncio.run(_first_event(name))
    except TimeoutError:
        yield failure(f"model: nothing came within {MODEL_SECONDS:g} s", "Check the provider's status page.")
    except UserFacingError as error:
        detail = f" ({error.__cause__})" if error.__cause__ else ""
        yield failure(f"model: {error}{detail}", "Check OPENAI_API_KEY, OPENAI_BASE_URL and CHAT_MODELS.")
    else:
        yield ok(f"model: {name or 'the first that is listed'} answered after {time.monotonic() - began:.1f} s")


async def _first_event(name: str) -> None:
    try:
        async with asyncio.timeout(MODEL_SECONDS):
            try:
                await _hear(name, {"max_tokens": 1})
            except ProviderRefused:
                # The provider has another name for this field; the request is cancelled at its first token anyway.
                await _hear(name, {})
    finally:
        await llm.aclose()


async def _hear(name: str, options: dict[str, int]) -> None:
    asked = llm.stream([ChatMessage(role="user", content="Say ok.")], model=name, options=options)
    async with aclosing(asked) as events:
        async for event in events:
            if isinstance(event, llm.TextDelta | llm.ReasoningDelta | llm.Finish):
                return


def static_files() -> Iterator[Finding]:
    """Whether static files are collected, hashed and of this version, unless DEBUG is true."""
    if settings.DEBUG:
        yield ok("static files: served from the checkout, in debug")
        return
    collecting: Any = apps.get_app_config("staticfiles")
    lacking, stale = list[str](), list[str]()
    hashed = getattr(staticfiles_storage, "hashed_files", {})
    for finder in get_finders():
        for name, storage in finder.list(collecting.ignore_patterns):
            source, collected = Path(storage.path(name)), Path(settings.STATIC_ROOT, name)
            served = Path(settings.STATIC_ROOT, hashed.get(Path(name).as_posix(), name))
            if Path(name).as_posix() not in hashed or not collected.exists() or not served.exists():
                lacking.append(name)
            elif not filecmp.cmp(source, collected, shallow=False):
                stale.append(name)
    if lacking:
        yield failure(f"static files: {some(lacking)} not collected", "Run `manage.py collectstatic --noinput`.")
    if stale:
        yield failure(
            f"static files: {some(stale)} of another version", "Run `manage.py collectstatic --clear --noinput`."
        )
    if not lacking and not stale:
        yield ok("static files: collected, all of this version")


def clock() -> Iterator[Finding]:
    """Whether this machine's clock and the database's agree."""
    # Opened first: that takes longer than the question.
    connection.ensure_connection()
    asked = time.time()
    theirs = float(sql.value("SELECT extract(epoch FROM clock_timestamp())"))
    answered = time.time()
    yield clock_finding(theirs - (asked + answered) / 2, "the database's")


def clock_finding(difference: float, whose: str) -> Finding:
    """Finding for a clock that is `difference` seconds ahead of this machine's."""
    if abs(difference) > CLOCK_SECONDS:
        return failure(
            f"clock: {whose} is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} this machine's",
            "Run a time service (chrony, systemd-timesyncd) on both machines.",
        )
    return ok(f"clock: as {whose}")


def mailer() -> Iterator[Finding]:
    """Whether a mail server accepts a connection."""
    default = mail.mailers["default"]
    if "smtp" not in type(default).__module__:
        yield warning("mail: is printed, not sent", "Set EMAIL_URL, such as smtp+tls://user:password@host:587.")
        return
    try:
        default.open()
    except OSError as error:
        yield failure(f"mail: {error}", "Check host, port, user and password in EMAIL_URL.")
    else:
        yield ok("mail: the server accepts mail")
    finally:
        with suppress(OSError):
            default.close()


WATCHING = {"OTEL_EXPORTER_OTLP_ENDPOINT": "opentelemetry", "SENTRY_DSN": "sentry_sdk"}
"""Setting that says where traces or crashes are sent -> the package needed for it."""


def watching() -> Iterator[Finding]:
    """Whether the packages and addresses for monitoring are usable."""
    for name, package in WATCHING.items():
        address = urlsplit(getattr(settings, name))
        if not address.hostname:
            continue
        if find_spec(package) is None:
            yield failure(f"watching: {name} is set, {package} is not installed", "Install requirements-telemetry.txt.")
            continue
        if name == "SENTRY_DSN" and not is_dsn(settings.SENTRY_DSN):
            yield failure(
                "watching: SENTRY_DSN is not a DSN: no process starts with it",
                "Copy it whole: https://KEY@HOST/PROJECT.",
            )
            continue
        try:
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname, port), WATCHING_SECONDS).close()
        except OSError as error:
            yield warning(f"watching: {address.hostname} cannot be reached ({error})", f"Check {name}.")
        else:
            yield ok(f"watching: {address.hostname} of {name} is there")
    if not settings.METRICS_TOKEN:
        yield ok("metrics: /metrics is off, because METRICS_TOKEN is not set")


def is_dsn(value: str) -> bool:
    """Whether the value is a valid DSN of Sentry."""
    from sentry_sdk.utils import BadDsn, Dsn

    try:
        Dsn(value)
    except BadDsn:
        return False
    return True
