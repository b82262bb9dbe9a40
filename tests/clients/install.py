"""Puts the client programs of others where the tests find them: `python -m tests.clients.install`.

They are no part of the locks: each stands in an environment of its own below `var/`, at a fixed version.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
PLACE = HERE.parent.parent / "var" / "clients"
PYTHON = PLACE / "python" / "bin" / "python"
NODE = PLACE / "node"

PROXY = PLACE / "proxy" / "bin" / "litellm"

PACKAGES = ["litellm==1.110.2", "langchain-openai==1.7.4", "llm==0.36"]
PROXY_PACKAGES = ["litellm[proxy]==1.99.4"]
NODE_PACKAGES = ["openai@6.49.0"]
SECONDS = 900


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program that has to succeed."""
    subprocess.run(command, check=True, cwd=cwd, timeout=SECONDS, stdout=sys.stderr)


def install() -> None:
    """Install what is not there."""
    PLACE.mkdir(parents=True, exist_ok=True)
    made = PLACE / "installed"
    wanted = "\n".join(PACKAGES + PROXY_PACKAGES + NODE_PACKAGES)
    if not made.exists() or made.read_text() != wanted:
        for name, packages in (("python", PACKAGES), ("proxy", PROXY_PACKAGES)):
            run(sys.executable, "-m", "venv", "--clear", PLACE / name)
            run(PLACE / name / "bin" / "python", "-m", "pip", "install", "--quiet", *packages)
        NODE.mkdir(exist_ok=True)
        run("npm", "install", "--silent", "--no-save", "--prefix", NODE, *NODE_PACKAGES)
        made.write_text(wanted)
    for program in PROGRAMS.iterdir():
        shutil.copy(program, NODE)


if __name__ == "__main__":
    install()
