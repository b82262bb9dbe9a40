"""What must be true of the site after whatever happened to it, one function each."""

import asyncio
import os
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from conversations.markdown.budget import Budget
from conversations.markdown.rendering import rendered
from conversations.replies.gauges import HELPS
from tests.faults.person import Person, Turn
from tests.faults.screen import Said, article, body, visible, visible_text
from tests.faults.site import Process, Site
from tests.faults.speech import ANSWERED, ASKED

SETTLE_SECONDS = 60.0
SESSIONS_OF_A_PROCESS = 8
"""The pool's size in the settings of the tests."""

THREADS_OF_A_BUSY_PROCESS = 4 + 1 + 4 + 4 + 4 + min(32, (os.cpu_count() or 1) + 4)
"""Those of the web, of its health, of the replies, of the connection pool, of libuv, and of the event loop's executor,
each begun when first needed."""

FILES_OF_A_BUSY_PROCESS = SESSIONS_OF_A_PROCESS + 16
"""Database sessions, and the connections that are just about to end."""

DATABASE_AWAY = {"OperationalError", "InterfaceError", "InternalError"}
"""What a request that could not do without the database leaves in the log."""

CSRF = re.compile(r'<input type="hidden" name="csrfmiddlewaretoken" value="[^"]*">')
AGO = re.compile(r"(?<=data-ago>)[^<]*")
RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d |(?:CRITICAL|ERROR|WARNING|INFO):  )", re.MULTILINE)
EXCEPTION = re.compile(r"^([\w.]*[a-z]\w*)(?:: .*)?$", re.MULTILINE)
COMPLAINTS = ("never retrieved", "was destroyed", "never awaited", "ResourceWarning", "Unhandled", "RuntimeError")


async def all_hold(site: Site, person: Person, *, expected: Collection[str] = ()) -> None:
    """Check every invariant; `expected` names the exceptions that the fault may have left in the log."""
    await nothing_is_open(site)
    await no_turn_is_lost_or_doubled(site, person.turns)
    await every_reply_is_what_was_said(site, person.turns)
    await every_viewer_saw_what_a_fresh_page_shows(site, person)
    await nothing_leaks(site)
    the_log_is_clean(site, expected)


async def nothing_is_open(site: Site) -> None:
    """No reply is pending, running or interrupted, and none has a draft left over."""
    sql = """
        SELECT status, count(*) FROM conversations_generation
        WHERE draft <> '' OR status NOT IN ('complete', 'stopped', 'failed') GROUP BY status
    """
    assert await query(site, sql) == []


async def no_turn_is_lost_or_doubled(site: Site, turns: Sequence[Turn]) -> None:
    """Each turn that was asked is stored once, with one reply and one generation, and nothing else is."""
    sql = """
        SELECT asked.id::text, asked.content, array_agg(reply.id::text ORDER BY reply.created_at),
            count(generation.message_id)
        FROM conversations_message AS asked
        LEFT JOIN conversations_message AS reply ON reply.parent_id = asked.id
        LEFT JOIN conversations_generation AS generation ON generation.message_id = reply.id
        WHERE asked.role = 'user' GROUP BY asked.id, asked.content
    """
    stored = sorted(await query(site, sql))
    replies = {turn: [*turn.kept, turn.reply] for turn in turns}
    assert stored == sorted((turn.key, turn.speech.question, found, len(found)) for turn, found in replies.items())
    ((messages,),) = await query(site, "SELECT count(*) FROM conversations_message")
    assert messages == sum(1 + len(found) for found in replies.values())


async def every_reply_is_what_was_said(site: Site, turns: Sequence[Turn]) -> None:
    """A complete reply is the model's whole text; one that was stopped or failed is its beginning."""
    sql = """
        SELECT message.id::text, message.content, generation.status, generation.error_code
        FROM conversations_message AS message JOIN conversations_generation AS generation
            ON generation.message_id = message.id
    """
    stored = {key: said for key, *said in await query(site, sql)}
    for turn in turns:
        content, status, code = stored[turn.reply]
        assert (code or status) in turn.outcomes, f"{code or status}: {turn}"
        if status == "complete":
            assert content == turn.speech.text, turn
        assert turn.speech.text.startswith(content), turn
        assert content.startswith(turn.had), turn
        assert all(stored[kept][0] and turn.speech.text.startswith(stored[kept][0]) for kept in turn.kept), turn


async def every_viewer_saw_what_a_fresh_page_shows(site: Site, person: Person) -> None:
    """What each viewer ended up with is, byte for byte, in a freshly loaded page, and that is what is stored: of a long
    reply as much as is shown at once, and the rest for who asks for it."""
    stored = dict(await query(site, "SELECT id::text, content FROM conversations_message"))
    pages = {path: await person.page(path) for path in {turn.conversation for turn in person.turns}}
    for turn in person.turns:
        fresh = article(pages[turn.conversation], turn.reply)
        said, expected = Said.in_html(body(fresh)), rendered(stored[turn.reply], Budget(), key=turn.reply)
        assert (said.formatted, said.plain) == (expected.formatted, expected.plain), turn
        assert visible_text(await person.whole(said)) == visible(stored[turn.reply]), turn
        for screen in turn.screens:
            if screen.end:
                assert unsigned(article(screen.end, turn.reply)) == unsigned(fresh), turn


async def nothing_leaks(site: Site) -> None:
    """No request to the provider, task, thread, file or database session is left over once the work is done.

    A session that a process took and kept shows as one at work, or as requests that wait for the pool in vain. More
    sessions than the pools may have are those of processes that ended, or were opened past the pool.
    """
    await settled(lambda: site.asking, "requests to the provider")
    await settled(lambda: [state for state in site.database.sessions() if state != "idle"], "sessions at work")
    await settled(lambda: site.database.sessions()[SESSIONS_OF_A_PROCESS * len(site.up) :], "sessions")
    for process in site.up:
        await settled(lambda process=process: busy(process), f"work in {process.url}")  # type: ignore[misc]
        await settled(lambda process=process: surplus(site, process), f"threads or files in {process.url}")  # type: ignore[misc]


def busy(process: Process) -> dict[str, float]:
    """What the process says that it still does with replies: each is a task, and what the task holds."""
    figures = process.figures()
    return {name: figures[name] for name in HELPS if figures[name]}


def surplus(site: Site, process: Process) -> dict[str, int]:
    """What the process has more than a busy one needs, by kind."""
    kept_alive = site.provider.connections
    more = {
        "threads": process.threads - process.threads_at_start - THREADS_OF_A_BUSY_PROCESS,
        "files": process.files - process.files_at_start - FILES_OF_A_BUSY_PROCESS - kept_alive,
    }
    return {kind: count for kind, count in more.items() if count > 0}


def the_log_is_clean(site: Site, expected: Collection[str] = ()) -> None:
    """No message's text, no complaint of the event loop, and no exception that the fault does not explain."""
    log = site.logs()
    for word in (ASKED, ANSWERED):
        assert word not in log, f"{word!r} is in the log:\n{around(log, word)}"
        assert word not in site.database.log()
    for complaint in COMPLAINTS:
        assert complaint not in log, around(log, complaint)
    for record in RECORD.split(log):
        if "Traceback" in record:
            # Of exceptions that led to one another, the last one is what went wrong in the end.
            *_, name = EXCEPTION.findall(record)
            assert name.rpartition(".")[2] in expected, record


def around(log: str, word: str) -> str:
    """The part of the log before and after a word."""
    place = log.index(word)
    return log[max(0, place - 3_000) : place + 1_000]


def unsigned(html: str) -> str:
    """The HTML without what is drawn anew for each answer, and without how long ago it was."""
    return AGO.sub("", CSRF.sub("", html)).strip()


async def query(site: Site, sql: str, *parameters: str) -> Any:
    """The rows of a query, each a tuple, asked for outside the event loop."""
    return await asyncio.to_thread(site.database.rows, sql, *parameters)


async def settled(surplus: Callable[[], object], what: str) -> None:
    """Return once `surplus` is empty."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while found := await asyncio.to_thread(surplus):
        assert asyncio.get_running_loop().time() < deadline, f"{what} left over: {found}"
        await asyncio.sleep(0.05)
