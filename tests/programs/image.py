"""Tries the image that `bin/image` built with buildah: its database is migrated, it serves, and somebody signs up.

`make image` runs it. It needs root, as chroot does; the database is a PostgreSQL of its own on this machine.
"""

import asyncio
import http.cookiejar
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import django
import psycopg

from tests.support.elements import read

ROOT = Path(__file__).resolve().parents[2]
BUILDAH = ["buildah", "--root", f"{ROOT}/var/image/storage", "--runroot", f"{ROOT}/var/image/run"]
IMAGE = "localhost/chatbot:latest"
START_SECONDS = 60.0


def buildah(*arguments: str) -> str:
    """What the command says."""
    return subprocess.run([*BUILDAH, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Container:
    """A container of the image; the network is this machine's."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.name = buildah("from", "--pull-never", IMAGE)
        self.config: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        self.environment = [f"--env={name}={value}" for name, value in environment.items()]

    def command(self, *words: str) -> list[str]:
        """The command line that runs these words in it, as the image's user."""
        return [*BUILDAH, "run", "--isolation", "chroot", *self.environment, self.name, "--", *words]

    def run(self, *words: str) -> str:
        """What the words say. Raises `CalledProcessError` when they fail."""
        return subprocess.run(self.command(*words), check=True, stdout=subprocess.PIPE, text=True).stdout

    def remove(self) -> None:
        """Throw it away."""
        buildah("rm", self.name)


def say(sentence: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"image: {sentence}\n")
    sys.stdout.flush()


def sign_up(url: str) -> None:
    """Open an account as a browser does, and see the page of a new chat with its files."""
    browser = build_opener(HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"{url}/accounts/signup/") as answer:
        token = read(answer.read().decode()).all('input[name="csrfmiddlewaretoken"]')[0]["value"]
    fields = {"email": "ada@example.org", "password1": secrets.token_urlsafe(16), "csrfmiddlewaretoken": token}
    with browser.open(Request(f"{url}/accounts/signup/", urlencode(fields).encode())) as answer:
        page = read(answer.read().decode())
    assert page.all('[name="message"]'), page.words
    say("somebody signed up and sees a new chat")
    named = [element.attributes.get("href") or element.attributes.get("src") or "" for element in page]
    files = [address for address in named if address.startswith("/static/")]
    assert any(re.search(r"\.[0-9a-f]{12}\.css$", file) for file in files), "static files are not hashed"
    for file in files:
        with browser.open(url + file) as answer:
            assert answer.status == 200
    say(f"its {len(files)} files are served, hashed")


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the process answers."""
    until = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "the server ended"
        try:
            with build_opener().open(f"{url}/readyz", timeout=5) as answer:
                assert answer.read() == b"ready"
            return
        except (URLError, TimeoutError):
            assert time.monotonic() < until
            time.sleep(0.2)


def attempt(server: str) -> None:
    """Migrate, serve, sign up, on a new database of this PostgreSQL server."""
    port = free_port()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE image")
    environment = {"SECRET_KEY": secrets.token_urlsafe(48), "DATABASE_URL": f"{server}/image"}
    environment |= {"ALLOWED_HOSTS": "127.0.0.1", "HTTPS_ONLY": "false", "OPENAI_API_KEY": "none"}
    container = Container(environment)
    try:
        assert container.run("id", "--user").strip() == "10001"
        version = container.run("python", "--version").strip()
        container.run("python", "manage.py", "migrate", "--noinput", "--verbosity", "0")
        say(f"the database is migrated ({version})")
        served = [str(port) if word == "8000" else word for word in container.config["Cmd"]]
        with subprocess.Popen(container.command(*served), start_new_session=True) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(url, process)
                say(f"it serves: {' '.join(served)}")
                check = container.config["Healthcheck"]["Test"][1:]
                container.run(*(word.replace(":8000/", f":{port}/") for word in check))
                say("its health check passes")
                sign_up(url)
            finally:
                os.killpg(process.pid, signal.SIGTERM)
    finally:
        container.remove()


async def main() -> None:
    """Try the image on a PostgreSQL that it reaches through a port."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    # These know the models, which can be imported only after the set-up.
    from tests.faults.cable import Cable
    from tests.faults.database import NAME, Database

    with tempfile.TemporaryDirectory(dir="/tmp", prefix="image-") as folder, Database(Path(folder)) as database:
        async with Cable(database) as cable:
            await asyncio.to_thread(attempt, cable.environment["TEST_DATABASE_URL"].removesuffix(f"/{NAME}"))
    say("all is well")


if __name__ == "__main__":
    asyncio.run(main())
