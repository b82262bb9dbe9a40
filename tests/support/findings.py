"""What the doctor has found, for tests."""

from collections.abc import Callable, Iterable

from conversations.management.doctor import proxy
from conversations.management.doctor.findings import Finding, Level

PAUSES = (1.0, 3.0, 9.0)
"""Seconds for which the streams are silent that the doctor asks for, one time after the other."""


def troubles(findings: Iterable[Finding]) -> list[str]:
    """What is not as it should be; for each there is something to do."""
    bad = [finding for finding in findings if finding.level != Level.OK]
    assert all(finding.advice for finding in bad)
    return [f"{finding.level}: {finding.what}" for finding in bad]


def only(findings: Iterable[Finding], words: str) -> None:
    (trouble,) = troubles(findings)
    assert words in trouble


def sought(url: str, wanted: Callable[[list[str]], bool]) -> list[str]:
    """What is wrong at this address; the doctor looks again, with a longer pause, until that is what is wanted.

    A machine that rests for as long as its stream does looks like a proxy that holds events back, or hides one.
    """
    for pause in PAUSES:
        found = troubles(proxy.everything(url, pause=pause))
        if wanted(found):
            break
    return found
