"""Somebody who chats: signs up, asks, watches, reloads, stops, over plain HTTP as the page's script would."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from uuid_utils.compat import uuid7

from tests.factories import PASSWORD
from tests.faults.screen import REPLY, Said, Screen, events
from tests.faults.site import Process, Site
from tests.faults.speech import Speech
from tests.support.pages import HTMX

PATIENCE = 90.0
"""Seconds within which whatever was asked for has come, however often it had to be asked again."""

RETRY_SECONDS = 0.1
SMALL = 4_096
"""Bytes that wait for somebody who does not read, where they wait."""

BROKEN = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Broken(Exception):
    """The server answered that something is wrong with it."""


@dataclass(eq=False)
class Turn:
    """A question, and where its reply is."""

    speech: Speech
    key: str
    reply: str
    conversation: str
    """The address of its page."""

    outcomes: set[str] = field(default_factory=lambda: {"complete"})
    """How the reply may end."""

    had: str = ""
    """Text that the reply has had, and is never without again."""

    kept: list[str] = field(default_factory=list)
    """Replies that have text, beside which another try was made."""

    screens: list[Screen] = field(default_factory=list)
    """What its viewers saw."""


class Person:
    """`async with Person(site) as person:` has an account and is signed in."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.turns: list[Turn] = []

    async def __aenter__(self) -> Self:
        # One connection a request: what is left open afterwards is then the server's doing.
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        try:
            await self._sign_up()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps."""
        return {cookie.key: cookie.value for cookie in self._session.cookie_jar}

    async def ask(self, speech: Speech, *, conversation: str = "/", at: Process | None = None, key: str = "") -> Turn:
        """Say something, again and again until the site says that it is stored; the key makes it one turn."""
        key = key or str(uuid7())
        answer, address = await self.post(conversation, {"message": speech.question, "turn": key}, at=at)
        *_, reply = REPLY.findall(answer)
        turn = Turn(speech, key, reply, address or conversation)
        if all(other.key != key for other in self.turns):
            self.turns.append(turn)
        return turn

    async def stop(self, turn: Turn, *, at: Process | None = None) -> None:
        """Press Stop."""
        turn.outcomes.add("stopped")
        await self.post(f"/messages/{turn.reply}/stop/", {}, at=at)

    async def retry(self, turn: Turn, *, at: Process | None = None) -> None:
        """Press Retry. A reply that has text is kept beside the new one."""
        answer, _ = await self.post(f"/messages/{turn.reply}/retry/", {}, at=at)
        *_, reply = REPLY.findall(answer)
        if reply != turn.reply:
            turn.kept.append(turn.reply)
            turn.reply = reply

    async def resume(self, turn: Turn, *, at: Process | None = None) -> None:
        """Press Continue."""
        await self.post(f"/messages/{turn.reply}/continue/", {}, at=at)

    async def remember(self, turn: Turn) -> None:
        """From now on the reply must never be without the text that it has now."""
        sql = "SELECT content FROM conversations_message WHERE id = %s"
        ((turn.had,),) = await asyncio.to_thread(self.site.database.rows, sql, turn.reply)

    async def leave_early(self, turn: Turn, seconds: float) -> bool:
        """Watch the reply for so long, or to its end, as `watch` does; whether it was still going on."""
        try:
            async with asyncio.timeout(seconds):
                await self._follow(turn, Screen(turn.speech, had=turn.had))
        except TimeoutError:
            return True
        return False

    async def watch(self, turn: Turn, *, at: Process | None = None) -> Screen:
        """Watch the reply to its end, connecting again as a browser does; at another process when `at` is gone."""
        screen = Screen(turn.speech, had=turn.had)
        turn.screens.append(screen)
        async with asyncio.timeout(PATIENCE):
            await self._follow(turn, screen, at=at)
        return screen

    async def glance(self, turn: Turn, screen: Screen, *, at: Process | None = None) -> None:
        """Watch the reply until this one connection ends."""
        process = at if at and at.is_up else self.site.any_process()
        headers = {"Accept": "text/event-stream"}
        async with self._session.get(f"{process.url}/messages/{turn.reply}/stream/", headers=headers) as answer:
            check(answer.status)
            screen.connections += 1
            async for name, data in events(answer.content):
                screen.show(name, data)

    async def watch_slowly(self, turn: Turn, go_on: asyncio.Event) -> Screen:
        """Watch the reply's beginning, read nothing more until the test says so, then to the end; on one connection."""
        screen = Screen(turn.speech)
        turn.screens.append(screen)
        connector = aiohttp.TCPConnector(socket_factory=_small_socket)
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession(cookies=self.cookies, connector=connector, read_bufsize=SMALL) as session,
            session.get(f"{self.site.any_process().url}/messages/{turn.reply}/stream/") as answer,
        ):
            check(answer.status)
            screen.connections += 1
            async for name, data in events(answer.content):
                screen.show(name, data)
                if screen.text:
                    await go_on.wait()
        return screen

    async def page(self, path: str, *, at: Process | None = None) -> str:
        """The whole page at this address, asked for until it comes."""
        async with self._answered("GET", path, at, {}) as answer:
            return await answer.text()

    async def whole(self, said: Said) -> str:
        """The HTML of a reply of which a page shows this, when one asks for all that it does not format at once."""
        html = said.formatted
        while said.further:
            async with self._answered("GET", said.further, None, {}, of_page=True) as answer:
                said = Said.in_html(await answer.text())
            assert said.formatted, "what follows is nothing"
            html += said.formatted
        return html

    async def post(self, path: str, fields: dict[str, str], *, at: Process | None = None) -> tuple[str, str]:
        """What the site answers to a form, sent until an answer comes, and the address that it pushes or leads to."""
        async with self._answered("POST", path, at, fields, of_page=True) as answer:
            return await answer.text(), answer.headers.get("HX-Push-Url", "")

    async def _follow(self, turn: Turn, screen: Screen, *, at: Process | None = None) -> None:
        """Watch until the end has come, however often the connection ends before."""
        while not screen.end:
            with suppress(*BROKEN, Broken):
                await self.glance(turn, screen, at=at)
            if not screen.end:
                await asyncio.sleep(RETRY_SECONDS)

    async def _sign_up(self) -> None:
        await self.page("/accounts/signup/")
        account = {"email": f"{uuid.uuid4().hex}@example.org", "password1": PASSWORD}
        answer, _ = await self.post("/accounts/signup/", account)
        assert "sessionid" in self.cookies, answer

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, at: Process | None, fields: dict[str, str], *, of_page: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The site's answer; `of_page` when it is the page's script that asks, for a part of it."""
        headers = HTMX if of_page else {}
        is_second = False
        async with asyncio.timeout(PATIENCE):
            while True:
                process = at if at and at.is_up else self.site.any_process()
                form = fields | {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")} if method == "POST" else None
                try:
                    answer = await self._session.request(method, process.url + path, data=form, headers=headers)
                    await answer.read()
                    check(answer.status)
                    break
                except (*BROKEN, Broken):
                    is_second = True
                    await asyncio.sleep(RETRY_SECONDS)
        # What is asked for again may have been done the first time.
        assert answer.status < 400 or (is_second and answer.status == 409), (
            f"{method} {urlsplit(path).path}: {answer.status}"
        )
        yield answer


def _small_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """One for which the system keeps little that was not read."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    return made


def check(status: int) -> None:
    """Raise `Broken` for a status that says that the fault is the server's."""
    if status >= 500:
        raise Broken(status)
