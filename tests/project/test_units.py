"""The unit of systemd for the web process, as it stands in the documents, starts a server and stops it in time."""

import configparser
import os
import shlex
import subprocess

import pytest
from django.db import connection

from tests.kit.health import wait_for_answer
from tests.kit.ports import Port
from tests.kit.server import ROOT, START_SECONDS, STOP_SECONDS
from tests.support.proxies import EXAMPLES

UNIT = configparser.ConfigParser(interpolation=None, strict=True)
UNIT.optionxform = str  # type: ignore[assignment,method-assign] # its names are of mixed case
UNIT.read_string((EXAMPLES / "chatbot@.service").read_text())


def test_the_unit_serves_and_ends_when_it_is_told(transactional_db: None) -> None:
    service = UNIT["Service"]
    assert service["WorkingDirectory"] == "/srv/chatbot"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_SERVER": "true",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
    }
    with Port() as port:
        command = shlex.split(service["ExecStart"].replace("/srv/chatbot", str(ROOT)).replace("%i", str(port)))
        with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
            try:
                wait_for_answer(f"http://127.0.0.1:{port}", process, seconds=START_SECONDS)
            finally:
                process.terminate()
            assert process.wait(STOP_SECONDS) == -15


def test_the_unit_gives_replies_the_time_that_the_settings_do() -> None:
    options = shlex.split(UNIT["Service"]["ExecStart"])
    server = int(options[options.index("--timeout-graceful-shutdown") + 1])
    assert 15 < server < int(UNIT["Service"]["TimeoutStopSec"])


@pytest.mark.parametrize(
    "right", ["NoNewPrivileges", "ProtectSystem", "PrivateTmp", "MemoryMax", "CapabilityBoundingSet"]
)
def test_the_unit_confines_the_process(right: str) -> None:
    assert right in UNIT["Service"]
