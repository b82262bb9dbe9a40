"""Checks of the public address: what proxies do to requests and to streams."""

import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from chatbot.web import probe
from conversations.management.doctor.findings import Finding, failure, ok, warning
from conversations.management.doctor.site import clock_finding

PAUSE = 20.0
"""Seconds of silence that a stream must survive (it sends a heartbeat every 15), and that an active stream lasts."""

SECONDS = 10.0
"""Seconds allowed for connecting, and for a response to begin."""

EVENT = b"data: "


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream of the probe as it was received."""

    arrived: dict[str, Any]
    """The request as the site saw it."""
    headers: http.client.HTTPMessage
    received: float
    """Times of arrival, by this machine's wall clock."""
    waited: float
    """Seconds between the first event and the last one."""
    is_whole: bool


class Refused(Exception):
    """The address did not answer as the chat does; `finding` describes how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def everything(url: str, *, pause: float = PAUSE) -> Iterator[Finding]:
    """All checks of the site at this public address."""
    # One token for all requests: a cache would answer the second of two identical requests.
    token = probe.token()
    try:
        first, again = hear(url, 0, token), hear(url, 0, token)
        yield ok(f"address: the chat answers at {url}")
        yield from cached(first, again)
        yield from headers(url, first)
        with ThreadPoolExecutor(2) as together:
            silent, talking = together.map(lambda talks: hear(url, pause, token, talks=talks), (False, True))
        yield from streamed(silent, talking, pause)
    except Refused as error:
        yield error.finding


def cached(first: Heard, again: Heard) -> Iterator[Finding]:
    """Whether two identical requests get two answers, not one from a cache."""
    if first.arrived["nonce"] == again.arrived["nonce"] or "Age" in again.headers:
        yield failure(
            "cache: something between here and the site caches answers",
            "People would see answers meant for others. Have it obey Cache-Control: no-store, or cache /static/ only.",
        )
    else:
        yield ok("cache: no answer is cached")


def headers(url: str, heard: Heard) -> Iterator[Finding]:
    """Whether the site knows the scheme, the host and the client."""
    address, arrived = urlsplit(url), heard.arrived
    wrong = False
    if (proxy := arrived["disbelieved"]) is not None:
        wrong = True
        redirected = " and every request is redirected endlessly" if settings.HTTPS_ONLY else ""
        yield failure(
            f"headers: the proxy at {proxy or 'a socket'} is not trusted: all requests seem to come from it, by"
            f" {arrived['scheme']}{redirected}",
            f"Set FORWARDED_ALLOW_IPS={proxy or '*'} and restart the site.",
        )
    elif arrived["scheme"] != address.scheme:
        wrong = True
        yield failure(
            f"headers: the site sees {arrived['scheme']}, but the request used {address.scheme}",
            "Have the proxy set X-Forwarded-Proto, and name the proxy's address in FORWARDED_ALLOW_IPS.",
        )
    if arrived["host"] != address.netloc:
        wrong = True
        yield failure(
            f"headers: the site sees the host {arrived['host']} instead of {address.netloc}",
            "Have the proxy pass the Host header on (nginx: proxy_set_header Host $http_host;).",
        )
    if proxy is None and is_own(arrived["client"]) and not is_own(address.hostname or ""):
        wrong = True
        yield warning(
            f"headers: all clients appear as {arrived['client']}, so they share one limit of sign-in attempts",
            "Have the proxy set X-Forwarded-For, and name its address in FORWARDED_ALLOW_IPS.",
        )
    if not wrong:
        yield ok("headers: scheme, host and client are correct")
    if date := heard.headers.get("Date"):
        yield clock_finding(parsedate_to_datetime(date).timestamp() - heard.received, f"that of {address.hostname}")


def streamed(heard: Heard, talking: Heard, pause: float) -> Iterator[Finding]:
    """Whether events arrive when they are sent, and streams last, silent or not."""
    if not talking.is_whole:
        yield failure(
            f"stream: it is cut after {talking.waited:.0f} s although events arrive",
            "Raise or remove the proxy's limit on the duration of a response: a reply may take minutes.",
        )
    elif not heard.is_whole:
        yield failure(
            f"stream: it is cut when nothing is sent for {pause:g} s",
            "Raise the proxy's time-out for reading to 60 s or more (nginx: proxy_read_timeout 60s;).",
        )
    elif heard.waited < pause / 2:
        yield failure(
            "stream: events are held back and arrive together",
            "Turn buffering and compression off for text/event-stream (nginx: proxy_buffering off;).",
        )
    else:
        yield ok(f"stream: events arrive at once, and {pause:g} s of silence do not end it")


def hear(url: str, pause: float, token: str, *, talks: bool = False) -> Heard:
    """Read a stream of the probe that lasts `pause` seconds, silent or not; `token` admits it. Raises `Refused`."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=SECONDS + pause)
    query = {"token": token, "pause": str(pause)} | ({"talks": "1"} if talks else {})
    path = f"{address.path.rstrip('/')}/probe?{urlencode(query)}"
    try:
        connection.request("GET", path, headers={"Accept": "text/event-stream", "Accept-Encoding": "gzip, br"})
        answer = connection.getresponse()
        received = time.time()
        _refuse_other_answers(url, answer)
        return _read(answer, received)
    except TimeoutError as error:
        raise Refused(failure(f"address: {url} does not answer in time", "Is the proxy up, and the site?")) from error
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        finding = failure(f"address: {url} cannot be reached: {error}", "Check the name, the port and the certificate.")
        raise Refused(finding) from error
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse, received: float) -> Heard:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        finding = failure("stream: it is compressed on the way", "Turn compression off for text/event-stream.")
        raise Refused(finding)
    arrived: dict[str, Any] = {}
    began, is_whole = time.monotonic(), False
    try:
        for line in answer:
            if line.startswith(EVENT) and not arrived:
                arrived, began = json.loads(line.removeprefix(EVENT)), time.monotonic()
            elif line == EVENT + b"end\n":
                is_whole = True
                break
    except (OSError, http.client.HTTPException):
        if not arrived:
            raise
    if not arrived:
        raise Refused(failure("stream: it is empty", "Does the proxy change answers? Look at its log."))
    return Heard(arrived, answer.headers, received, time.monotonic() - began, is_whole)


def _refuse_other_answers(url: str, answer: http.client.HTTPResponse) -> None:
    location = answer.headers.get("Location", "")
    if location and urlsplit(location).netloc == urlsplit(url).netloc and url.startswith("https://"):
        raise Refused(
            failure(
                "headers: the site redirects every https request to https again",
                "Have the proxy set X-Forwarded-Proto, and name the proxy's address in FORWARDED_ALLOW_IPS.",
            )
        )
    if location:
        raise Refused(failure(f"address: {url} redirects to {location}", "Use the address that it leads to."))
    if answer.status == http.client.BAD_REQUEST:
        raise Refused(
            failure(
                "address: the site refuses the host",
                "Name it in ALLOWED_HOSTS, and have the proxy pass the Host header on.",
            )
        )
    if answer.status == http.client.GATEWAY_TIMEOUT:
        raise Refused(
            failure("stream: the proxy gave up waiting", "Raise its time-outs, and turn buffering off for streams.")
        )
    if answer.status != http.client.OK:
        raise Refused(
            failure(
                f"address: {url} answers {answer.status} {answer.reason}",
                "Is the site behind it, with the same SECRET_KEY as here, and up?",
            )
        )


def is_own(host: str) -> bool:
    """Whether this is an address of the machine itself or of a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_private
