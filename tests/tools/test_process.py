"""Tools in a whole process: its metrics, its end."""

import asyncio
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from chatbot.telemetry import metrics
from tests.kit.server import ROOT
from tests.tools.calling import Gate, Rows, add, called, free, stopped, tool_of
from tools import gauges
from tools.define import ToolError

HANGING = """
import asyncio, threading, time
import django
django.setup()
from tools.threads import threads

async def main():
    try:
        await threads().run("hang", lambda work: threading.Event().wait(), 0.1)
    except TimeoutError:
        print("late", threads().counts()["hung"])

asyncio.run(main())
"""


def ends() -> Counter[tuple[str, str]]:
    """Number of calls by tool and end, as the page of metrics has it."""
    families = text_string_to_metric_families(metrics.page().decode())
    samples: list[Any] = [sample for family in families for sample in family.samples]
    counted = [sample for sample in samples if sample.name == "chat_tool_calls_total"]
    return Counter({(sample.labels["tool"], sample.labels["end"]): int(sample.value) for sample in counted})


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("nothing_left")
async def test_calls_are_counted_by_their_end(user: User, gate: Gate) -> None:
    def fail() -> str:
        """Fail in words."""
        raise ToolError("No.")

    def slow() -> str:
        """Take some time."""
        gate.wait()
        return ""

    before = ends()
    await called(tool_of(add), user, title="milk")
    await called(tool_of(fail), user)
    await stopped(asyncio.create_task(called(tool_of(slow), user, Rows())), gate)
    new = ends() - before
    assert new == {("add", "done"): 1, ("fail", "failed"): 1, ("slow", "stopped"): 1}
    assert b'chat_tool_call_duration_seconds_count{tool="add"}' in metrics.page()
    assert gauges.read() == {
        "chat_tool_threads": 8,
        "chat_tool_threads_busy": 1,
        "chat_tool_threads_hung": 0,
        "chat_tool_calls_queued": 0,
        "chat_tool_tasks": 0,
    }
    gate.open()
    await free()
    assert gauges.read()["chat_tool_threads_busy"] == 0


def test_a_hung_tool_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "late 1\n"
