"""The commands for programs in the README work as they are written."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from accounts import access_tokens
from accounts.models import User
from tests.factories import PASSWORD
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SECTION = README.partition("\n## Use it from programs\n")[2].partition("\n## ")[0]
BLOCKS = [block for block in re.findall(r"```\n(.*?)```", SECTION, re.DOTALL) if "curl" in block]


@pytest.mark.django_db(transaction=True)
def test_the_commands_for_programs_work(server: ChatServer, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.always(reply("Once upon a time"))
    _, token = access_tokens.make(user, name="README")
    known = {"CHAT": server.url, "USER_ID": str(user.pk), "TOKEN": token, "EMAIL": user.email, "PASSWORD": PASSWORD}
    whole, streamed, history, tasks, tokens, completion = (
        subprocess.run(
            ["bash", "-euc", block], env=os.environ | known, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for block in BLOCKS
    )
    assert json.loads(whole)["response"] == "Once upon a time"
    assert "event: message.completed" in streamed
    assert history.count("And then?") == 1
    assert tasks.count("Buy milk") == 2
    assert json.loads(tokens)["user_id"] == str(user.pk)
    assert json.loads(completion)["choices"][0]["message"]["content"] == "Once upon a time"
