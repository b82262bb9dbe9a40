"""What the doctor has found, for tests."""

import socket
from collections.abc import Iterable

from conversations.management.doctor.findings import Finding, Level


def troubles(findings: Iterable[Finding]) -> list[str]:
    """What is not as it should be; for each there is something to do."""
    bad = [finding for finding in findings if finding.level != Level.OK]
    assert all(finding.advice for finding in bad)
    return [f"{finding.level}: {finding.what}" for finding in bad]


def only(findings: Iterable[Finding], words: str) -> None:
    (trouble,) = troubles(findings)
    assert words in trouble


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
