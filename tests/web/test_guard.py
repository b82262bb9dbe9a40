"""Requests that are refused before anything is read of them."""

import http.client
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from chatbot.web.guard import refused
from tests.kit.server import ChatServer


def status(server: ChatServer, body: bytes | Iterable[bytes], **headers: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request(
            "POST", "/accounts/login/", body, {name.replace("_", "-"): text for name, text in headers.items()}
        )
        with connection.getresponse() as response:
            return response.status
    finally:
        connection.close()


@pytest.mark.parametrize("charset", ["punycode", "utf-16", "idna", "zlib", '"rot13"'])
def test_a_form_in_another_charset_is_refused(server: ChatServer, charset: str) -> None:
    kind = f"multipart/form-data; boundary=B; charset={charset}"
    assert status(server, b"--B--", Content_Type=kind) == 400


def test_a_form_in_utf8_is_read(server: ChatServer) -> None:
    assert status(server, b"a=b", Content_Type="application/x-www-form-urlencoded; charset=UTF-8") == 403


def test_a_body_that_says_that_it_is_too_large_is_refused_unread(server: ChatServer) -> None:
    too_long = str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert status(server, b"", Content_Length=too_long) == 413


def test_a_body_that_does_not_say_its_length_is_read_up_to_the_limit(server: ChatServer) -> None:
    block = b"x" * 65_536
    room = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // len(block)
    kind = "application/x-www-form-urlencoded"
    assert status(server, (block for _ in range(room)), Content_Type=kind) == 403
    # The server may close the connection while the client still sends: then the answer is lost on the way.
    refused = 413
    with suppress(ConnectionResetError, BrokenPipeError):
        refused = status(server, (block for _ in range(room + 2)), Content_Type=kind)
    assert refused == 413


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=x; charset=utf-8; charset=punycode",
        "multipart/form-data; boundary=x; charset*=utf-8''punycode",
    ],
)
def test_a_charset_is_read_as_django_reads_it(content_type: str) -> None:
    assert refused({"headers": [(b"content-type", content_type.encode())]}, 0) == HTTPStatus.BAD_REQUEST


def test_two_content_types_are_refused() -> None:
    twice = [(b"content-type", b"multipart/form-data; charset=punycode; a=b"), (b"content-type", b"c")]
    assert refused({"headers": twice}, 0) == HTTPStatus.BAD_REQUEST
