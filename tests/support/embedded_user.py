"""A process that uses the embedded services, controlled by a test: one line of JSON in, one line out."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import django

ROOT = Path(__file__).resolve().parents[2]


class EmbeddedUser:
    """The test's side of the process, whose embedded services are in `directory`.

    With `account` (user and group id) it runs as an ordinary user, even if the test runs as root.
    """

    def __init__(
        self, directory: Path, *, account: tuple[int, int] | None = None, settings: dict[str, Any] | None = None
    ) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.support.embedded_user",
            json.dumps({"EMBEDDED_DIR": str(directory)} | (settings or {})),
        ]
        environment = {
            name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE", "ENV_FILE"}
        }
        self.process = subprocess.Popen(
            [*_becoming(account), *command],
            cwd=ROOT,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def ask(self, action: str, *arguments: str) -> Any:
        """The result of one of the actions below. Raises `RuntimeError` with the text of its error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([action, *arguments]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def sql(self, statement: str) -> Any:
        """The first column of the first row that a statement returns."""
        return self.ask("sql", statement)

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        self.process.kill()
        self.leave()

    def leave(self) -> None:
        """End the process and wait for its end."""
        self.process.communicate()


def _becoming(account: tuple[int, int] | None) -> list[str]:
    if account is None:
        return []
    uid, gid = account
    setpriv = shutil.which("setpriv") or "setpriv"
    plain = [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    probe = subprocess.run([*plain, "--", sys.executable, "-c", ""], capture_output=True, check=False)
    # If Python is in root's private home, one capability lets the other account run it.
    passes = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"] if probe.returncode else []
    return [*plain, *passes, "--"]


def sql(statement: str) -> Any:
    """The result of a statement, over Django's connection."""
    from django.db import connection

    if connection.connection is not None and not connection.is_usable():
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def try_test_database() -> list[Any]:
    """Create a test database, check that it exists, and destroy it."""
    from django.db import connection

    before = connection.settings_dict["NAME"]
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    inside = sql("SELECT current_database()::text")
    connection.close()
    connection.creation.destroy_test_db(before, verbosity=0)
    return [made, inside, sql("SELECT current_database()::text")]


def shell(statement: str) -> str:
    """The output of `manage.py dbshell` for a statement."""
    from django.db import connection

    command, environment = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, ["--tuples-only", "--no-align", "--command", statement]
    )
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def fork() -> int:
    """Fork a child that lives until it is killed; returns its process id."""
    child = os.fork()
    if not child:
        # The test waits until these are closed.
        os.close(0)
        os.close(1)
        signal.pause()
    return child


def endpoint() -> dict[str, str]:
    """Address and key of the local model."""
    from chatbot.embedded import model

    return asdict(model.endpoint())


ACTIONS = {function.__name__: function for function in (sql, try_test_database, shell, fork, endpoint)}


def main() -> None:
    """Execute the action in each line, until there are no more."""
    from django.conf import settings

    given = json.loads(sys.argv[1])
    pool = given.pop("pool", False)
    database = {"ENGINE": "chatbot.embedded.postgres", "NAME": "chat", "OPTIONS": {"pool": pool}}
    settings.configure(
        **given | {"EMBEDDED_DIR": Path(given["EMBEDDED_DIR"]), "DATABASES": {"default": database}, "USE_TZ": True}
    )
    django.setup()
    for line in sys.stdin:
        action, *arguments = json.loads(line)
        try:
            answer = {"result": ACTIONS[action](*arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
