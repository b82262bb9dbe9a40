"""Decide what waits, in a process of its own that serves nobody: `python -m tests.faults.deciding approve`."""

import os
import subprocess
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[2]


def main(word: str) -> None:
    """Approve or decline every call that waits for its person."""
    django.setup()
    from conversations.actions import approvals
    from conversations.models import Message, ToolCall

    waiting = ToolCall.objects.undecided().values("message")
    for message in Message.objects.filter(pk__in=waiting):
        approvals.decide_together(message, approve=word == "approve")


def decide(environment: dict[str, str], word: str) -> None:
    """Have another machine's process, which has this environment, `approve` or `decline` all that waits."""
    command = [sys.executable, "-m", "tests.faults.deciding", word]
    subprocess.run(command, cwd=ROOT, env=os.environ | environment | {"TEST_SERVER": "true"}, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
