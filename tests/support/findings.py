"""Findings of the doctor, for tests."""

from collections.abc import Callable, Iterable

from conversations.management.doctor import proxy
from conversations.management.doctor.findings import Finding, Level

PAUSES = (1.0, 3.0, 9.0)
"""Seconds of silence in the doctor's streams, for its attempts in order."""


def troubles(findings: Iterable[Finding]) -> list[str]:
    """Findings that are not OK, as text; fails if one has no advice."""
    bad = [finding for finding in findings if finding.level != Level.OK]
    assert all(finding.advice for finding in bad)
    return [f"{finding.level}: {finding.what}" for finding in bad]


def only(findings: Iterable[Finding], words: str) -> None:
    (trouble,) = troubles(findings)
    assert words in trouble


def sought(url: str, wanted: Callable[[list[str]], bool]) -> list[str]:
    """Findings at this address that are not OK; repeated with longer pauses until `wanted` accepts them.

    A machine that pauses for as long as its stream looks like a proxy that holds events back, or hides one.
    """
    for pause in PAUSES:
        found = troubles(proxy.everything(url, pause=pause))
        if wanted(found):
            break
    return found
