"""The proxies of docs/examples, unchanged, in front of the tests' servers."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from tests.kit.install_programs import program
from tests.kit.ports import Port
from tests.kit.server import ROOT, ChatServer

EXAMPLES = ROOT / "docs" / "examples"
NAME = "chat.example.org"
HOST = "localhost"
UPSTREAM = "127.0.0.1:8000"
BELIEVED = "127.0.0.1"
"""The proxies' address as servers see it, for FORWARDED_ALLOW_IPS."""

START_SECONDS = 60.0

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types *;
    include {folder}/chatbot.conf;
}}
"""
"""Configuration around the example; compression is on, to test that streams are not compressed."""

CADDY = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


def certified(folder: Path) -> tuple[Path, Path]:
    """A new certificate for HOST, and its key, as paths."""
    files = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    out = ["-out", str(files[0]), "-keyout", str(files[1])]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *out]
    subprocess.run(command, check=True, capture_output=True)
    return files


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Run the program for a `with` block, once it listens on the port."""
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            until = time.monotonic() + START_SECONDS
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def replaced(name: str, *changes: tuple[str, str]) -> str:
    """The example with the values that every operator changes; fails if one is missing."""
    text = (EXAMPLES / name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


def address(server: ChatServer) -> str:
    """Host and port of the server, for a proxy's configuration."""
    return server.url.removeprefix("http://")


Start = Callable[[str, tuple[Path, Path], Path], AbstractContextManager[str]]


@contextmanager
def nginx(
    upstream: str, certificate: tuple[Path, Path], folder: Path, change: tuple[str, str] = (NAME, HOST)
) -> Iterator[str]:
    """nginx with the example and one change, for a `with` block; yields its address."""
    (folder / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + NGINX.format(folder=folder))
    command = [program("nginx"), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with Port() as port, Port() as plain:
        text = replaced(
            "nginx.conf",
            (UPSTREAM, upstream),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate[0])),
            (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(certificate[1])),
            change,
        )
        (folder / "chatbot.conf").write_text(text)
        with running(command, port, folder):
            yield f"https://{HOST}:{port}"


@contextmanager
def caddy(upstream: str, certificate: tuple[Path, Path], folder: Path) -> Iterator[str]:
    """Caddy with the example, for a `with` block; yields its address."""
    with Port() as port:
        site = f"https://{HOST}:{port} {{\n\ttls {certificate[0]} {certificate[1]}"
        text = CADDY + replaced("Caddyfile", (UPSTREAM, upstream), (f"{NAME} {{", site))
        (folder / "Caddyfile").write_text(text)
        with running([program("caddy"), "run", "--config", str(folder / "Caddyfile")], port, folder):
            yield f"https://{HOST}:{port}"
