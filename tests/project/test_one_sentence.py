"""What stands in the way of a first start is told in one sentence, with what to do."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from conversations.management.commands.runserver import refuse_taken
from tests.kit.server import ROOT, ChatServer

TOOLS = ("sh", "dirname", "cat", "cmp", "make", "mkdir", "grep", "sed", "awk", "find")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of the programs that a small machine has, without any Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing has been installed."""
    folder = tmp_path / "checkout"
    (folder / "bin").mkdir(parents=True)
    for name in ("bin/setup", "Makefile", ".python-version", "requirements.txt", "requirements-local.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def said(command: list[str], folder: Path, path: Path) -> tuple[int, list[str]]:
    """Exit code and lines of what a command says on a machine with these programs."""
    environment = {"PATH": str(path), "HOME": str(folder.parent)}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr.splitlines()


def has_packages(*names: str) -> str:
    """A script for apt-cache, which knows these packages."""
    return f'[ "$1" = --version ] && exit 0; case " {" ".join(names)} " in *" $2 "*) exit 0 ;; *) exit 1 ;; esac'


@pytest.mark.parametrize(
    ("machine", "advice"),
    [
        # Debian 12: its newest is 3.11, and it has pipx.
        (
            {"apt-cache": has_packages("python3.11-venv", "pipx")},
            "apt install pipx && pipx install uv && ~/.local/bin/uv",
        ),
        ({"apt-cache": has_packages("python3.13-venv")}, "apt install python3.13-venv"),
        ({"apt-cache": has_packages("python3.12-venv")}, "apt install python3.12-venv"),
        ({"brew": "exit 0"}, "brew install python@3.13"),
        ({"uv": '[ "$1" = --version ]'}, "(uv python install 3.13)"),
        ({}, "pipx install uv"),
    ],
)
def test_a_machine_without_a_python_gets_the_advice_that_works_there(
    checkout: Path, tools: Path, machine: dict[str, str], advice: str
) -> None:
    for name, script in machine.items():
        program(tools, name, script)
    program(tools, "python3", "exit 1")
    code, lines = said(["/bin/sh", "bin/setup", "requirements.txt"], checkout, tools)
    assert code != 0
    assert len(lines) == 1
    assert advice in lines[0]
    assert "run make again" in lines[0]


def read_only(checkout: Path, command: str) -> list[str]:
    """What the command says in the checkout when it cannot be written."""
    mounted = f'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && {command}'
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    ended = subprocess.run(
        [*apart, "sh", "-c", mounted, str(checkout)], capture_output=True, text=True, check=False, env=os.environ
    )
    assert ended.returncode != 0
    return [line for line in ended.stderr.splitlines() if not line.startswith("make: ***")]


def test_a_checkout_that_cannot_be_written_is_told_in_one_sentence(checkout: Path) -> None:
    (line,) = read_only(checkout, "make run")
    assert f"{checkout} cannot be written: copy the checkout to a folder of your own" in line
    assert not (checkout / ".venv").exists()


def test_a_checkout_with_its_packages_but_without_its_settings_is_told_too(checkout: Path) -> None:
    (checkout / "bin" / "setup").write_text("#!/bin/sh\n")
    (line,) = read_only(checkout, "make run")
    assert "A .env for this computer is missing" in line
    assert "copy the checkout to a folder of your own" in line


def test_settings_that_one_may_not_read_are_told_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DEBUG=true\n")
    file.chmod(0)
    command = [sys.executable, "manage.py", "check"]
    if os.geteuid() == 0:
        # Root reads what is another's only as long as it has these.
        os.chown(file, 65534, -1)
        less = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}", *command]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "chatbot.settings", "ENV_FILE": str(file)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"{file} cannot be read (Permission denied)" in line
    assert "readable for the user that runs the chat" in line


def test_a_folder_of_the_embedded_services_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chatbot.settings",
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "DATABASE_URL": "",
        "EMBEDDED_DIR": str(tmp_path / "file" / "below"),
    }
    command = [sys.executable, "manage.py", "runserver", "--noreload", "--migrate", "0"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "The embedded PostgreSQL could not be started" in line
    assert "set DATABASE_URL" in line


def test_a_port_on_which_an_earlier_server_still_runs_says_how_to_end_it(server: ChatServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(CommandError, match=f"127.0.0.1:{port} cannot be used.*pkill -f 'manage.py runserver.*:{port}'"):
        call_command("runserver", str(port))


def test_a_port_that_another_program_has_says_nothing_of_the_chat() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        begun = time.monotonic()
        with pytest.raises(CommandError, match=f"{port} cannot be used .*. Try another port.$"):
            refuse_taken("127.0.0.1", port)
        assert time.monotonic() - begun < 30


def test_what_is_advised_ends_the_server_whose_make_was_killed() -> None:
    pattern = "manage.py runserver.*:{port}"
    text = (ROOT / "conversations" / "management" / "commands" / "runserver.py").read_text()
    assert f"pkill -f '{pattern}'" in text
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As make starts it, and as the kill of make leaves it.
    command = [sys.executable, "-c", "import time; time.sleep(60)", "manage.py", "runserver", f"127.0.0.1:{port}"]
    with subprocess.Popen(command) as left:
        subprocess.run(["pkill", "-f", pattern.format(port=port)], check=True)
        assert left.wait(60) == -signal.SIGTERM
