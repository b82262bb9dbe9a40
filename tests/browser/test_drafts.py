"""What is typed and not yet sent stays in the browser."""

from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.acting import log, send
from tests.browser.conftest import NewPage
from tests.factories import ConversationFactory, exchange
from tests.kit.provider import ScriptedProvider, reply
from tests.kit.server import ChatServer, session_cookie

DRAFTS = "Object.keys(localStorage).filter((name) => name.startsWith('draft:'))"


def test_each_conversation_and_the_new_chat_keep_what_was_typed(page: Page, user: User) -> None:
    paths = ["/"]
    for number in range(2):
        conversation = exchange(ConversationFactory.create(user=user), f"Question {number}", "Yes").conversation
        paths.append(conversation.get_absolute_url())
    box = page.get_by_role("textbox", name="Message")
    for path in paths:
        page.goto(path)
        box.fill(f"One\ntwo of {path}")
    for path in paths:
        page.goto(path)
        expect(box).to_have_value(f"One\ntwo of {path}")
        page.reload()
        expect(box).to_have_value(f"One\ntwo of {path}")


def test_a_draft_goes_when_it_is_sent_or_emptied(page: Page, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Read."), reply("Read again."))
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    send(page, "Hello")
    expect(log(page)).to_contain_text("Read.")
    assert page.evaluate(DRAFTS) == []
    box.fill("And more")
    assert len(page.evaluate(DRAFTS)) == 1
    box.fill("")
    assert page.evaluate(DRAFTS) == []
    send(page, "And more")
    expect(log(page)).to_contain_text("Read again.")
    page.reload()
    expect(box).to_have_value("")
    page.goto("/")
    expect(box).to_have_value("")


def test_a_refused_message_is_still_there_after_a_reload(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    box = page.get_by_role("textbox", name="Message")
    send(page, "x" * 10_001)
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.reload()
    expect(box).to_have_value("x" * 10_001)


def test_a_message_whose_answer_was_lost_on_the_way_is_no_draft(page: Page, user: User) -> None:
    conversation = exchange(ConversationFactory.create(user=user), "Hello", "Good day").conversation
    page.goto(conversation.get_absolute_url())
    box = page.get_by_role("textbox", name="Message")
    box.fill("Are you there?")
    exchange(conversation, "Are you there?", "Yes")
    page.reload()
    expect(log(page)).to_contain_text("Are you there?")
    expect(box).to_have_value("")


def test_sign_out_leaves_nothing_and_somebody_else_sees_nothing(
    page: Page, user: User, stranger: User, server: ChatServer
) -> None:
    page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    box.fill("Mine")
    page.context.clear_cookies()
    page.context.add_cookies([session_cookie(stranger, server)])
    page.goto("/")
    expect(box).to_have_value("")
    assert page.evaluate(DRAFTS) == []
    box.fill("Theirs")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_count(0)
    assert page.evaluate(DRAFTS) == []


def test_drafts_are_bounded_in_number_size_and_age(page: Page, user: User) -> None:
    page.goto("/")
    page.evaluate(
        """person => {
          for (let number = 0; number < 60; number += 1) {
            const draft = { text: `Draft ${number}`, at: Date.now() - number };
            localStorage.setItem(`draft:${person}:/c/${number}/`, JSON.stringify(draft));
          }
          const old = { text: "Old", at: Date.now() - 40 * 24 * 60 * 60 * 1000 };
          localStorage.setItem(`draft:${person}:/`, JSON.stringify(old));
          localStorage.setItem(`draft:${person}:/c/broken/`, "{");
        }""",
        str(user.pk),
    )
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    drafts = page.evaluate(DRAFTS)
    assert len(drafts) == 50
    assert f"draft:{user.pk}:/c/0/" in drafts
    page.get_by_role("textbox", name="Message").fill("x" * 100_001)
    assert page.evaluate(DRAFTS) == drafts


def test_two_people_in_two_browsers_keep_their_own(new_page: NewPage, user: User, stranger: User) -> None:
    pages = [new_page(one) for one in (user, stranger)]
    for number, page in enumerate(pages):
        page.goto("/")
        page.get_by_role("textbox", name="Message").fill(f"Draft {number}")
    for number, page in enumerate(pages):
        page.reload()
        expect(page.get_by_role("textbox", name="Message")).to_have_value(f"Draft {number}")
