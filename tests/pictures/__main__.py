"""Make the pictures: `python -m tests.pictures`, or `make pictures`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.db import connection
from playwright.sync_api import sync_playwright

from tests.kit.install_chromium import ARGUMENTS, find_chromium
from tests.kit.provider import ScriptedProvider


def main() -> None:
    """Lay out a site with an account in the test database, and photograph it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    # Playwright's event loop runs in this thread; the ORM must work here all the same.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    django.setup()
    # These know the models, which can be imported only after the set-up.
    from tests.kit.server import ChatServer
    from tests.pictures import account, poses

    models = ",".join((account.MODEL, account.OTHER_MODEL))
    with (
        test_database(),
        ScriptedProvider() as provider,
        ChatServer(OPENAI_BASE_URL=provider.url, CHAT_MODELS=models) as server,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=find_chromium(whole=True), args=ARGUMENTS)
        poses.photograph(chromium, server, account.furnish())
        chromium.close()


@contextmanager
def test_database() -> Iterator[None]:
    """The database of the tests, emptied, for a `with` block; it stays for the next time."""
    from django.core.management import call_command
    from django.test.runner import DiscoverRunner

    runner = DiscoverRunner(verbosity=0, interactive=False, keepdb=True)
    databases = runner.setup_databases()
    call_command("flush", verbosity=0, interactive=False)
    try:
        yield
    finally:
        runner.teardown_databases(databases)
        # Its threads would be waited for at the end of the process.
        connection.close_pool()  # type: ignore[attr-defined] # a method of PostgreSQL connections


if __name__ == "__main__":
    main()
