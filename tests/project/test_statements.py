"""Statements are run in one place, and what they repeat is written once."""

import re

from conversations.models import Status
from tests.kit.server import ROOT

SITE = ("accounts", "chatbot", "conversations", "tasks", "tools")

RUNS = "chatbot/core/sql.py"
COPIES = {"conversations/transfer/staging.py", "conversations/upkeep/seeding.py"}
"""They send rows with COPY, for which they need the cursor itself."""

STATE = re.compile(f"'({'|'.join(Status.values)})'")


def sources() -> dict[str, str]:
    """The site's modules by path, without its migrations, which stay as they ran."""
    files = [file for folder in SITE for file in (ROOT / folder).rglob("*.py") if "migrations" not in file.parts]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files}


def test_statements_are_run_in_one_place() -> None:
    assert {name for name, code in sources().items() if "connection.cursor()" in code} == {RUNS} | COPIES


def test_the_walk_up_a_branch_is_written_once() -> None:
    written = {name: code.count("WITH RECURSIVE path") for name, code in sources().items()}
    assert {name: count for name, count in written.items() if count} == {"conversations/models/paths.py": 1}


def test_no_statement_writes_a_state_out() -> None:
    assert {name: found for name, code in sources().items() if (found := STATE.findall(code))} == {}
