"""What is shown when there is nothing to show."""

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from accounts.models import User
from tests.kit.server import ChatServer
from tests.support.visitor import Answer, Visitor


def assert_in_style(answer: Answer, status: int, heading: str) -> None:
    assert answer.status == status
    assert heading in answer.text
    assert "css/base" in answer.text
    assert 'class="brand"' in answer.text
    assert "Back to your conversations" in answer.text


def test_what_is_not_there_has_a_page(server: ChatServer, user: User) -> None:
    assert_in_style(Visitor(server, user).get("/c/nothing/"), 404, "Page not found")


def test_what_makes_no_sense_has_a_page(server: ChatServer, user: User) -> None:
    assert_in_style(Visitor(server, user).get("/export/?format=docx"), 400, "The request was not understood")


def test_what_is_too_large_has_a_page_for_a_person_and_a_line_for_a_program(server: ChatServer, user: User) -> None:
    visitor, length = Visitor(server, user), str(settings.CHAT_IMPORT_MAX_BYTES + 1_000_000)
    browser = visitor.ask("POST", "/import/", None, Content_Length=length, Accept="text/html,*/*")
    assert_in_style(browser, 413, "The request is too large")
    assert visitor.ask("POST", "/import/", None, Content_Length=length).text.startswith("413 ")


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "413", "429", "500", "503"])
def test_each_error_has_a_page_that_needs_nothing_of_the_request(name: str) -> None:
    page = render_to_string(f"{name}.html")
    assert page.count("<h1>") == 1
    assert "Back to your conversations" in page
