"""The client programs of others, which `make clients` installs and tries; `make test` leaves them out."""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts import access_tokens
from accounts.models import User
from tests.clients.install import NODE, PROGRAMS, PROXY, PYTHON
from tests.kit.health import wait_for_answer
from tests.kit.provider import ScriptedProvider
from tests.kit.server import ChatServer

collect_ignore_glob = [] if "CLIENTS" in os.environ else ["test_*.py"]

SECONDS = 180

Run = Callable[..., Any]


@pytest.fixture
def address(server: ChatServer, user: User) -> dict[str, str]:
    """Where a program asks, and with which token: variables of its environment."""
    _, token = access_tokens.make(user, name="A program")
    return {"BASE_URL": f"{server.url}/v1", "KEY": token}


@pytest.fixture
def run(address: dict[str, str], tmp_path: Path) -> Run:
    """Runs a program of `programs/` and gives what it printed: `run("litellm_client.py", "plain")`."""

    def made(name: str, *arguments: str, **environment: str) -> Any:
        command = ["node", NODE / name] if name.endswith(".mjs") else [PYTHON, PROGRAMS / name]
        known = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "DJANGO_"))}
        # What a program keeps of its own goes here; none of them asks anybody else.
        own = {"HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false"}
        done = subprocess.run(
            [*command, *arguments],
            env=known | own | address | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr[-4_000:]
        return json.loads(done.stdout.splitlines()[-1])

    return made


@pytest.fixture
def origin() -> Iterator[str]:
    """Another site, which serves the page with OpenAI's client."""
    command = [str(PYTHON), "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(NODE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().split(" port ")[1].split()[0]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


PROXY_KEY = "sk-proxy-key"


@pytest.fixture
def proxy(module_provider: ScriptedProvider, tmp_path: Path) -> Iterator[str]:
    """LiteLLM's proxy before the scripted provider: its base URL."""
    asked = {"model": "openai/scripted", "api_base": module_provider.url, "api_key": "none", "max_retries": 0}
    configuration = tmp_path / "proxy.json"
    configuration.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "scripted", "litellm_params": asked}],
                "general_settings": {"master_key": PROXY_KEY},
                "litellm_settings": {"num_retries": 0},
                # One refusal would have it refuse everybody for seconds.
                "router_settings": {"disable_cooldowns": True, "num_retries": 0},
            }
        )
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [str(PROXY), "--config", str(configuration), "--host", "127.0.0.1", "--port", str(port)]
    with (
        (tmp_path / "proxy.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for_answer(f"http://127.0.0.1:{port}", process, path="/health/liveliness", seconds=SECONDS)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
