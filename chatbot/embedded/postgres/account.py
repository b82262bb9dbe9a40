"""The system account that PostgreSQL runs as: one's own, or an unprivileged one for root, which PostgreSQL refuses.

Nothing here changes the mode or owner of other folders: where the account cannot reach the data or the programs, for
instance below a private home, its processes get the one capability that they need.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatbot.embedded.locks import EmbeddedServiceError

_ACCOUNTS = ("postgres", "nobody")
# The lesser capability first, to enter folders and read; where a container lacks that one, to write as well.
_CAPABILITIES = ("dac_read_search", "dac_override")
_REACH = 'cd "$1" && "$2/bin/postgres" --version >/dev/null && [ -r "$2/share/postgres.bki" ]'


@dataclass(frozen=True)
class Account:
    """How to start a program as a system account."""

    uid: int
    gid: int
    changes: bool
    """Whether this process has to switch to that account."""

    prefix: tuple[str, ...] = ()
    """Command prefix that switches the account and keeps a capability."""

    def popen(self, command: Sequence[str], *, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
        """Start a program with its output in `output` or in this process's."""
        becomes = self.changes and not self.prefix
        return subprocess.Popen(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            user=self.uid if becomes else None,
            group=self.gid if becomes else None,
            extra_groups=[] if becomes else None,
        )

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a program to its end; returns exit code and output."""
        with self.popen(command, output=subprocess.PIPE) as process:
            output, _ = process.communicate()
        return process.returncode, output.decode(errors="replace").strip()

    def takes(self, folder: Path) -> None:
        """Make the account the owner of one of the project's folders, unless this process already runs as it."""
        if self.changes:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def takes_all(self, folder: Path) -> None:
        """Make the account the owner of one of the project's folders and of everything in it."""
        self.takes(folder)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self.takes(Path(parent, name))


def choose_account(data: Path) -> Account:
    """The account for the data folder: its owner, if that is a known account other than root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), changes=False)
    for known in (data.stat().st_uid, *_ACCOUNTS):
        try:
            entry = pwd.getpwnam(known) if isinstance(known, str) else pwd.getpwuid(known)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(entry.pw_uid, entry.pw_gid, changes=True)
    raise EmbeddedServiceError(
        "PostgreSQL refuses to run as root, and there is no account named postgres or nobody to run it as. "
        "Make one, or run this as an ordinary user"
    )


def with_reach(account: Account, data: Path, installation: Path) -> Account:
    """The account, with the capability to enter private folders if it needs that to reach both paths."""
    probe = ["/bin/sh", "-c", _REACH, "sh", str(data), str(installation)]
    code, output = account.run(probe)
    if code == 0:
        return account
    refusals = [output]
    setpriv = shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin:/usr/sbin:/sbin")
    if account.changes and setpriv:
        for capability in _CAPABILITIES:
            able = Account(account.uid, account.gid, account.changes, _prefix(setpriv, account, capability))
            code, output = able.run(probe)
            if code == 0:
                return able
            refusals.append(output)
    advice = (
        "Install setpriv (it is in the package util-linux)"
        if account.changes and not setpriv
        else "Move the checkout out of the private folder, or run this as an ordinary user"
        if account.changes
        else "Run make setup again"
    )
    name = pwd.getpwuid(account.uid).pw_name if account.changes else "you"
    raise EmbeddedServiceError(
        f"{name} can not reach {data} and the programs in {installation}"
        f" ({'; '.join(filter(None, refusals)) or 'permission denied'}). {advice}"
    )


def _prefix(setpriv: str, account: Account, capability: str) -> tuple[str, ...]:
    return (
        setpriv,
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--clear-groups",
        f"--inh-caps=-all,+{capability}",
        f"--ambient-caps=-all,+{capability}",
        # Without it access(), which initdb calls, ignores capabilities of accounts other than root.
        "--securebits=+no_setuid_fixup",
        "--no-new-privs",
        "--",
    )
