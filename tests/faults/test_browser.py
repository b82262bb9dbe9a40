"""The page in a real browser while the site breaks under it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.faults.conftest import FULL, Chance, NewSite
from tests.faults.invariants import DATABASE_AWAY, all_hold, unsigned
from tests.faults.person import PATIENCE, Person, Turn
from tests.faults.site import Site
from tests.faults.speech import Speech
from tests.kit.install_chromium import ARGUMENTS, find_chromium

TABS = 4
RELOADS = 20 if FULL else 5

Break = Callable[[Site, list[Page], Chance], Awaitable[None]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield chromium
        await chromium.close()


async def reload_often(_site: Site, tabs: list[Page], chance: Chance) -> None:
    """Every tab is reloaded again and again."""

    async def reload(number: int, tab: Page) -> None:
        moments = chance(number)
        for _ in range(RELOADS):
            await asyncio.sleep(moments.uniform(0, 5 / RELOADS))
            await tab.reload()

    await asyncio.gather(*(reload(number, tab) for number, tab in enumerate(tabs)))


async def kill(site: Site, _tabs: list[Page], chance: Chance) -> None:
    """The server process is killed and started again."""
    await asyncio.sleep(chance("break").uniform(0, 2))
    await asyncio.to_thread(site.processes[0].kill)
    await asyncio.to_thread(site.processes[0].start)


async def restart(site: Site, _tabs: list[Page], chance: Chance) -> None:
    """The server process is told to end and started again."""
    await asyncio.sleep(chance("break").uniform(0, 2))
    await asyncio.to_thread(site.processes[0].stop)
    await asyncio.to_thread(site.processes[0].start)


async def restart_database(site: Site, _tabs: list[Page], chance: Chance) -> None:
    """The database is away for some seconds."""
    await asyncio.sleep(chance("break").uniform(0, 2))
    await asyncio.to_thread(site.database.stop)
    await asyncio.sleep(3)
    await asyncio.to_thread(site.database.start)


@pytest.mark.parametrize(
    "break_it",
    [reload_often, *(pytest.param(break_it, marks=pytest.mark.full) for break_it in (kill, restart, restart_database))],
)
async def test_the_page_ends_up_as_a_fresh_one_shows_it(
    new_site: NewSite, chance: Chance, browser: Browser, break_it: Break
) -> None:
    async with new_site(processes=1) as site, Person(site) as person:
        turns = await asyncio.gather(*(person.ask(Speech(number, words=80, interval=0.05)) for number in range(TABS)))
        tabs = [await open_tab(browser, site, person) for _ in turns]
        watching = [watch(tab, turn) for tab, turn in zip(tabs, turns, strict=True)]
        await asyncio.gather(*(tab.goto(turn.conversation) for tab, turn in zip(tabs, turns, strict=True)))
        await break_it(site, tabs, chance)
        await asyncio.gather(*watching)
        for tab, turn in zip(tabs, turns, strict=True):
            live = await shown(tab, turn)
            await tab.reload()
            assert unsigned(live) == unsigned(await shown(tab, turn))
            await tab.context.close()
        await all_hold(site, person, expected=DATABASE_AWAY)


async def open_tab(browser: Browser, site: Site, person: Person) -> Page:
    """A tab in which the person is signed in."""
    context = await browser.new_context(base_url=site.processes[0].url)
    await context.add_cookies(
        [{"name": name, "value": value, "url": site.processes[0].url} for name, value in person.cookies.items()]
    )
    return await context.new_page()


async def watch(tab: Page, turn: Turn) -> None:
    """Return once the reply has ended on the page, with nothing left of what went wrong meanwhile."""
    milliseconds = PATIENCE * 1_000
    await expect(tab.locator(f"#m-{turn.reply}:not([data-stream])")).to_be_visible(timeout=milliseconds)
    await expect(tab.get_by_role("button", name="Send")).to_be_visible(timeout=milliseconds)
    await expect(tab.locator("#notice")).to_be_empty(timeout=milliseconds)


async def shown(tab: Page, turn: Turn) -> str:
    """The reply's element as the browser has it."""
    return str(await tab.locator(f"#m-{turn.reply}").evaluate("element => element.outerHTML"))
