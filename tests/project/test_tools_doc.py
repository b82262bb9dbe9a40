"""The example of docs/tools.md is an app that the assistant uses, as it is written there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts.models import User
from conversations.models import CallState, Message, ToolCall
from tests.kit.provider import ScriptedProvider, calls, reply
from tests.kit.server import ROOT, ChatServer
from tests.support.elements import read
from tests.support.receiver import Receiver
from tests.support.replying import wait_until
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = (ROOT / "docs" / "tools.md").read_text()
MODELS, TOOLS, PAYING, FAULTY, TESTS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS, FAULTS = re.findall(r"```\n(?=python|`)(.*?)```", TEXT, re.DOTALL)
SECONDS = 120


class Shop:
    """The app in a folder of its own, with the commands that a developer gives there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "shop"
        self.package.mkdir()
        for name, text in {"__init__": "", "models": MODELS, "chat_tools": f"{TOOLS}\n\n{PAYING}"}.items():
            (self.package / f"{name}.py").write_text(text)

    def run(self, *command: str, succeeds: bool = True) -> str:
        """What the command prints, run with the site's settings for tests and the shop."""
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
        environment = {
            "PATH": os.pathsep.join(paths),
            "PYTHONPATH": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_SERVER": "true",
            "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
            "TEST_APPS": "shop",
        }
        ended = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=SECONDS
        )
        assert (ended.returncode == 0) is succeeds, ended.stderr
        return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def shop(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """The shop, installed by the document's commands; its tables and permissions are removed afterwards."""
    made = Shop(tmp_path_factory.mktemp("site"))
    try:
        assert "no issues" in made.run("bash", "-euc", COMMANDS)
        yield made
    finally:
        made.run("python", "manage.py", "migrate", "--skip-checks", "shop", "zero")
        with django_db_blocker.unblock():
            ContentType.objects.filter(app_label="shop").delete()


@pytest.fixture
def bank() -> Iterator[Receiver]:
    """The bank that the shop asks for money."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def owner(shop: Shop, bank: Receiver, module_provider: ScriptedProvider, user: User) -> Iterator[Visitor]:
    """`user`, who asks a server that has the shop."""
    server = ChatServer(
        OPENAI_BASE_URL=module_provider.url, TEST_APPS="shop", SHOP_BANK=f"http://127.0.0.1:{bank.port}/pay"
    )
    server.options = ("--app-dir", str(shop.folder))
    module_provider.reset()
    with server:
        yield Visitor(server, user)


def said(owner: Visitor, text: str, *, ends: bool = True) -> str:
    """What the chat shows of a turn, once its reply has ended or waits."""
    before = Message.objects.count()
    assert owner.post("/", {"message": text}).status == 302
    reply = Message.objects.filter(role="assistant").newest_first()[0]
    assert Message.objects.count() == before + 2
    return shown(owner, reply, ends=ends)


def shown(owner: Visitor, reply: Message, *, ends: bool) -> str:
    wait_until(lambda: Message.objects.select_related("generation").get(pk=reply.pk).generation.is_open is not ends)
    if not ends:
        wait_until(lambda: ToolCall.objects.filter(message=reply, state=CallState.WAITING).exists())
    page = read(owner.get(reply.conversation.get_absolute_url()).text)
    return " ".join(page.one(".message.assistant").text().split())


def approved(owner: Visitor, call: ToolCall) -> str:
    """What the chat shows of a reply, once its person has approved this call and it has ended."""
    assert owner.post(f"/tool-calls/{call.pk}/decide/", {"decision": "approve"}).status == 302
    assert call.message
    return shown(owner, call.message, ends=True)


def orders() -> list[tuple[str, int]]:
    """The orders that the shop has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT article, pieces FROM shop_order ORDER BY id")
        return list(cursor.fetchall())


def test_the_assistant_uses_the_shop_of_the_document(
    owner: Visitor, shop: Shop, bank: Receiver, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(
        calls(("order", {"article": "tea", "pieces": 2}), ("order", {"article": "milk"}), text="I order it."),
        calls(("list_orders", {})),
        reply("Here they are."),
    )
    text = said(owner, "Order two packets of tea, and show me my orders")
    assert orders() == [("tea", 2)]
    for words in ("Ordered tea", "Ordering milkFailed", "Read your orders", "OrderArticlePieces", "Here they are."):
        assert words in text
    offered = {tool["function"]["name"]: tool["function"] for tool in module_provider.chats[0].json["tools"]}
    assert {"order", "list_orders", "cancel_order"} <= set(offered)
    assert "pay_order" not in offered
    assert set(offered["order"]["parameters"]["properties"]) == {"article", "pieces"}
    listed = ToolCall.objects.get(tool="list_orders").result
    assert listed
    number = listed["table"]["rows"][0][0]

    user.user_permissions.add(Permission.objects.get(codename="change_order"))
    module_provider.play(calls(("pay_order", {"number": number})), reply("Thank you."))
    assert f"Paying for order {number}Needs your approval" in said(owner, "Pay for it", ends=False)
    assert bank.bodies == []
    call = ToolCall.objects.get(tool="pay_order")
    assert f"Paid for order {number}" in approved(owner, call)
    assert [(path, parse_qs(body.decode())) for path, body in bank.bodies] == [
        ("/pay", {"key": [str(call.pk)], "article": ["tea"], "pieces": ["2"]})
    ]

    module_provider.play(calls(("cancel_order", {"number": number})), reply("It is off."))
    said(owner, "Cancel it", ends=False)
    assert orders() == [("tea", 2)]
    assert "It is off." in approved(owner, ToolCall.objects.get(tool="cancel_order"))
    assert orders() == []
    module_provider.play(calls(("cancel_order", {"number": number})), reply("There is none."))
    said(owner, "Cancel it again", ends=False)
    approved(owner, ToolCall.objects.get(tool="cancel_order", state=CallState.WAITING))
    assert json.loads(module_provider.chats[-1].body)["messages"][-1]["content"] == (
        f"The tool failed: There is no order {number}. List the orders first."
    )


def test_the_tests_and_the_mistakes_of_the_document_end_as_it_says(shop: Shop, user: User) -> None:
    person = "from accounts.models import User; user = User.objects.get()"
    names = re.findall(r"^def (test_\w+)\((\w*)\)", TESTS, re.MULTILINE)
    assert len(names) == 2
    asked = "\n".join(f"{name}({argument})" for name, argument in names)
    shop.run("python", "manage.py", "shell", "--no-imports", "-c", f"{person}\n{TESTS}\n{asked}")
    assert orders() == [("tea", 2)]

    (shop.package / "chat_tools.py").write_text(f"{TOOLS}\n\n{FAULTY}")
    found = shop.run("python", "manage.py", "check", succeeds=False)
    place = re.escape(str(shop.package / "chat_tools.py"))
    reported = re.findall(rf"{place}:\d+: (.*)", found)
    assert reported == FAULTS.splitlines()
