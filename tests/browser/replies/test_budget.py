"""What a first visit to the chat page costs."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, Response, expect

from accounts.models import User
from tests.browser.conftest import NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.server import ChatServer

BYTES = 56_000
REQUESTS = 20


def responses_of(page: Page, path: str) -> list[Response]:
    """All that the browser asks for to show the page."""
    responses: list[Response] = []
    # Playwright marks the handler, which it cannot do with a list's own method.
    page.on("response", lambda response: responses.append(response))
    page.goto(path, wait_until="networkidle")
    return responses


def test_a_first_visit_is_small_and_all_from_this_host(new_page: NewPage, server: ChatServer, user: User) -> None:
    conversation = exchange(
        ConversationFactory.create(user=user), "Hello", "Some `code`.\n\n```python\nx = 1\n```"
    ).conversation
    for number in range(40):
        exchange(ConversationFactory.create(user=user, title=f"Conversation {number}"), "Hello", "Good day")
    for path in ("/", conversation.get_absolute_url()):
        page = new_page(user)
        responses = responses_of(page, path)
        expect(page.get_by_role("textbox", name="Message")).to_be_visible()
        sizes = [response.request.sizes() for response in responses]
        assert {response.status for response in responses} == {200}
        assert {urlsplit(response.url).netloc for response in responses} == {urlsplit(server.url).netloc}
        assert len(responses) <= REQUESTS
        assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= BYTES
