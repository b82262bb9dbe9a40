"""Names that the site answers to: its own, this machine's in debug, and for probes any."""

import socket
import subprocess

import pytest
from django.conf import settings
from django.test import Client

from chatbot.web.hosts import own_names
from conversations.management.commands.runserver import names_of
from tests.kit.server import ROOT, ChatServer
from tests.management.test_runserver import RunServer
from tests.support.pages import HTMX
from tests.support.visitor import Answer, Visitor

EVERYWHERE = "0.0.0.0"  # noqa: S104 (on a machine of tests)
WRONG = "elsewhere.example.org"


def asked(server: ChatServer, path: str, host: str, **headers: str) -> Answer:
    return Visitor(server).get(path, Host=host, **headers)


@pytest.mark.parametrize("host", [WRONG, "203.0.113.9:8000", "[2001:db8::1]", "a_b", "<script>"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_ask_by_any_address(server: ChatServer, path: str, host: str) -> None:
    assert asked(server, path, host).status == 200


@pytest.mark.django_db
def test_a_probe_by_another_name_is_answered_without_a_server_too() -> None:
    for path in ("/healthz", "/readyz"):
        assert Client().get(path, headers={"host": WRONG}).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "kind"),
    [
        ("/", {"Accept": "text/html"}, "text/html"),
        ("/", {"Accept": "text/html"} | HTMX, "text/html"),
        ("/", {"Accept": "application/json"}, "text/plain"),
        ("/api/models", {}, "application/problem+json"),
        ("/v1/models", {}, "application/json"),
    ],
)
def test_a_wrong_host_is_told_in_words(server: ChatServer, path: str, headers: dict[str, str], kind: str) -> None:
    answer = asked(server, path, WRONG, **headers)
    assert answer.status == 400
    assert answer.headers.get_content_type() == kind
    assert f"is not available at {WRONG}" in answer.text
    assert "ALLOWED_HOSTS" in answer.text


def test_a_wrong_host_cannot_write_on_the_page(server: ChatServer) -> None:
    answer = asked(server, "/", "<script>alert(1)</script>", Accept="text/html")
    assert answer.status == 400
    assert "<script>alert" not in answer.text


def outward_address() -> str:
    """This machine's address on its network."""
    return names_of(EVERYWHERE)[-1]


def reached(server: ChatServer, address: str, family: int, host: str) -> int:
    """The status of a page that is asked for at this address of the machine."""
    port = int(server.url.rpartition(":")[2])
    with socket.socket(family) as connection:
        connection.settimeout(30)
        connection.connect((address, port))
        connection.sendall(f"GET /accounts/login/ HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_in_debug_other_computers_reach_a_server_that_listens_everywhere(transactional_db: None) -> None:
    here, name = outward_address(), socket.gethostname()
    with RunServer(at=EVERYWHERE, DEBUG="true", ALLOWED_HOSTS="localhost,127.0.0.1") as server:
        port = server.url.rpartition(":")[2]
        for host in (f"{here}:{port}", f"{name}:{port}", f"{name}.local", "localhost"):
            assert reached(server, here, socket.AF_INET, host) == 200, host
        for host in (WRONG, "203.0.113.9", f"{here}.example.org", f"x{name}"):
            assert reached(server, here, socket.AF_INET, host) == 400, host


def test_outside_debug_only_the_names_of_the_setting_count(server: ChatServer) -> None:
    assert "127.0.0.2" not in settings.ALLOWED_HOSTS
    assert asked(server, "/accounts/login/", socket.gethostname()).status == 400


def test_an_ipv6_server_is_reached_by_its_address(transactional_db: None) -> None:
    with RunServer(at="[::1]", DEBUG="true", ALLOWED_HOSTS="localhost,127.0.0.1") as server:
        port = server.url.rpartition(":")[2]
        assert reached(server, "::1", socket.AF_INET6, f"[::1]:{port}") == 200


@pytest.mark.parametrize(
    ("server", "expected"),
    [(("192.0.2.7", 80), "192.0.2.7"), (("::ffff:192.0.2.7", 80), "192.0.2.7"), (("2001:DB8::1", 80), "2001:db8::1")],
)
def test_the_address_at_which_a_request_arrives_is_the_machines(server: tuple[str, int], expected: str) -> None:
    assert expected in own_names({"server": server})


@pytest.mark.parametrize("server", [None, ("/run/chat.sock", None)])
def test_a_socket_without_an_address_adds_none(server: object) -> None:
    assert own_names({"server": server}) == {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}


def test_a_server_that_listens_everywhere_names_an_address_for_others() -> None:
    assert names_of(EVERYWHERE)[0] == "localhost"
    assert names_of("192.0.2.1") == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000"), ("[::1]", "[::1]:8000"), ("::", "[::]:8000")],
)
def test_make_run_puts_an_address_of_any_kind_before_the_port(host: str, shown: str) -> None:
    command = ["make", "--dry-run", "--no-print-directory", "run", f"HOST={host}", "PORT=8000"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert f"manage.py runserver --noreload --migrate {shown}\n" in said
