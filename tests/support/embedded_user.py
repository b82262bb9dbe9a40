"""A process that uses the embedded services, steered by a test: one line of JSON in, one line out."""

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
    """The test's side: a process whose embedded services live in `directory`.

    As `account` (user and group id) it is an ordinary user, though the test may be run by root.
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
        """The result of one of the actions below; the text of the error, as `RuntimeError`, where it failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([action, *arguments]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def sql(self, statement: str) -> Any:
        """The first column of the first row of what a statement answers."""
        return self.ask("sql", statement)

    def kill(self) -> None:
        """Like `kill -9`."""
        self.process.kill()
        self.leave()

    def leave(self) -> None:
        """End it and wait for its end."""
        self.process.communicate()


def _becoming(account: tuple[int, int] | None) -> list[str]:
    if account is None:
        return []
    uid, gid = account
    setpriv = shutil.which("setpriv") or "setpriv"
    plain = [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    probe = subprocess.run([*plain, "--", sys.executable, "-c", ""], capture_output=True, check=False)
    # Where Python itself is in root's private home, one capability stands in for a Python that all may run.
    passes = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"] if probe.returncode else []
    return [*plain, *passes, "--"]


def sql(statement: str) -> Any:
    """What a statement answers, over Django's connection."""
    from django.db import connection

    if connection.connection is not None and not connection.is_usable():
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def try_test_database() -> list[Any]:
    """Make a test database, look where one is, destroy it."""
    from django.db import connection

    before = connection.settings_dict["NAME"]
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    inside = sql("SELECT current_database()::text")
    connection.close()
    connection.creation.destroy_test_db(before, verbosity=0)
    return [made, inside, sql("SELECT current_database()::text")]


def shell(statement: str) -> str:
    """What `manage.py dbshell` answers."""
    from django.db import connection

    command, environment = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, ["--tuples-only", "--no-align", "--command", statement]
    )
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def fork() -> int:
    """Leave a child behind, which lives until it is killed; its process id."""
    child = os.fork()
    if not child:
        # The test waits for the end of these.
        os.close(0)
        os.close(1)
        signal.pause()
    return child


def endpoint() -> dict[str, str]:
    """Where the local model answers."""
    from chatbot.embedded import model

    return asdict(model.endpoint())


ACTIONS = {function.__name__: function for function in (sql, try_test_database, shell, fork, endpoint)}


def main() -> None:
    """Do what each line asks for, until there are no more."""
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
