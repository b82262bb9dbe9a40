"""A reply as server-sent events."""

import re
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from conversations.actions import turns
from conversations.markdown.budget import Budget
from conversations.markdown.rendering import render, rendered
from conversations.models import Message, Status
from conversations.models.reasoning import Reasoning
from conversations.replies.live import LiveReply
from conversations.replies.rendering import rendering
from conversations.replies.streams import KEEP_ALIVE, Viewer, event
from tests.kit.hostile import hostile
from tests.kit.provider import END, Gate, ScriptedProvider, Text, error, reply, stream
from tests.kit.server import ChatServer
from tests.support.elements import read
from tests.support.viewer import Stream, parsed, with_end


def test_an_event_carries_each_line_as_data() -> None:
    assert event("tail", "a\nb\r\nc\rd") == b"event: tail\ndata: a\ndata: b\ndata: c\ndata: d\n\n"


def test_other_separators_do_not_end_a_line() -> None:
    assert event("tail", "a\u2028b\x0bc\x85d").count(b"data: ") == 1


def test_every_connection_starts_with_the_reply_as_it_stands() -> None:
    live = LiveReply(Message().pk)
    live.text = "One.\n\nTwo"
    frame = Viewer().frame(live).decode()
    assert frame.startswith("event: reply\n")
    assert "One." in frame
    assert "Two" in frame


def test_finished_blocks_are_sent_once_and_the_tail_again() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    viewer.frame(live)
    live.text = "One.\n\nTwo"
    first = viewer.frame(live).decode()
    live.text += " and three"
    second = viewer.frame(live).decode()
    assert re.findall(r"event: (\w+)", first) == ["blocks", "tail"]
    assert re.findall(r"event: (\w+)", second) == ["tail"]
    assert "One." not in second
    assert "Two and three" in second


def test_only_the_end_of_a_long_open_block_is_sent_again() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    viewer.frame(live)
    live.text = "Some words 👩‍👩‍👧 & more. " * 30
    tail = ""
    for piece in ("", " And *these", "* too", ".", "\n# Title\n", "Some more", " of it"):
        live.text += piece
        before, events = tail, shown(viewer.frame(live))
        for name, data in events:
            tail = "" if name == "blocks" else with_end(tail, data) if name == "tail-end" else data
        assert tail == rendering(live).tail
        if "tail-end" in dict(events):
            assert len(dict(events)["tail-end"]) < 100 < len(before)


def test_bytes_sent_are_bounded_by_the_text_whatever_it_says() -> None:
    for name, text in hostile(6_000).items():
        live, viewer = LiveReply(Message().pk), Viewer()
        sent = len(viewer.frame(live))
        for at in range(0, len(text), 150):
            live.text = text[: at + 150]
            sent += len(viewer.frame(live))
        whole = rendered(text, Budget())
        assert sent + len(whole.html.encode()) <= 20 * len(text.encode()) + 64_000, name


def test_an_ordinary_reply_is_sent_as_it_grows() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    viewer.frame(live)
    text = "Some words that say what there is to say, and *some* more of `them`. " * 100
    for at in range(0, len(text), 8):
        live.text = text[: at + 8]
        viewer.frame(live)
        assert viewer._tail == rendering(live).tail


async def test_a_long_text_is_rendered_beside_the_event_loop() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    live.text = "*words* and\n\n" * 1_000 + "more"
    assert b"words" not in viewer.frame(live)
    await live.change(0, seconds=60)
    assert shown(viewer.frame(live))[0][1].count("<em>words</em>") == 1_000


def test_nothing_new_is_a_comment() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    viewer.frame(live)
    assert viewer.frame(live) == KEEP_ALIVE


def test_a_reply_that_begins_again_is_sent_whole() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    live.text = "Old"
    viewer.frame(live)
    live.show("New")
    frame = viewer.frame(live).decode()
    assert frame.startswith("event: reply\n")
    assert "Old" not in frame


def test_a_text_that_was_reasoning_is_sent_anew_as_one() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    live.text = "The user asks."
    viewer.frame(live)
    live.turn_into(Reasoning("The user asks.", 2.0))
    frame = viewer.frame(live).decode()
    assert frame.startswith("event: reply\n")
    assert frame.count("The user asks.") == 1
    assert frame.index("Thought for 2 s") < frame.index("The user asks.")
    live.text = "Blue."
    assert re.findall(r"event: (\w+)", viewer.frame(live).decode()) == ["tail"]


def test_reasoning_has_its_place_from_its_first_piece_and_is_then_only_added_to() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    assert b"reasoning" not in viewer.frame(live)
    live.reasoning = Reasoning("Let <me>")
    first = viewer.frame(live).decode()
    assert first.startswith("event: reply\n")
    assert "Thinking…</summary>" in first
    assert "Let &lt;me&gt;</div>" in first
    live.reasoning = Reasoning("Let <me>\n think & see")
    assert viewer.frame(live) == b"event: reasoning\ndata: \ndata:  think &amp; see\n\n"
    assert viewer.frame(live) == KEEP_ALIVE


def test_a_reasoning_end_changes_its_title_only() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    live.reasoning = Reasoning("Let me think")
    viewer.frame(live)
    live.reasoning = Reasoning("Let me think", 4.2)
    live.text = "Two"
    frame = viewer.frame(live).decode()
    assert re.findall(r"event: (\S+)", frame) == ["reasoning-title", "tail"]
    assert "data: Thought for 4 s\n" in frame
    assert "Let me" not in frame


def test_what_is_sent_of_a_long_reasoning_grows_with_its_length_only() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    sent = 0
    for number in range(1, 1_001):
        live.reasoning = Reasoning("some thoughts, and more of them as it goes on. \n" * number)
        sent += len(viewer.frame(live))
    assert sent < 2 * len(live.reasoning.text)


def test_a_long_open_block_is_sent_less_often() -> None:
    live, viewer = LiveReply(Message().pk), Viewer()
    live.text = "word " * 20_000
    viewer.frame(live)
    assert viewer.pause(0.0) > 0.3
    assert viewer.pause(60.0) == 1.0


def test_a_busy_process_sends_fewer_frames() -> None:
    assert Viewer().pause(0.0, late=0.0) == 0.04
    assert Viewer().pause(0.0, late=0.1) == 0.4
    assert Viewer().pause(0.0, late=9.0) == 1.0


def test_many_viewers_are_sent_fewer_frames_each() -> None:
    assert Viewer().pause(0.0, viewers=10) == 0.04
    assert Viewer().pause(0.0, viewers=500) == 0.5
    assert Viewer().pause(0.0, viewers=5_000) == 1.0


def shown(frame: bytes) -> list[tuple[str, str]]:
    """Name and data of each event of the frame."""
    return list(parsed(frame.decode().split("\n")))


def test_a_stream_arrives_as_a_stream_and_ends_with_the_stored_reply(
    server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One.\n\n"), Gate("more"), Text("*Two*"), *END))
    turn = turns.send(user, text="Count")
    with Stream(server, user, turn.reply) as viewer:
        assert viewer.response.status == 200
        assert viewer.response.headers["Content-Type"] == "text/event-stream"
        assert viewer.response.headers["Content-Encoding"] is None
        assert viewer.response.headers["X-Accel-Buffering"] == "no"
        assert viewer.response.headers["Cache-Control"] == "no-store, private"
        events = viewer.events()
        seen = ""
        while "One." not in seen:
            seen += next(events)[1]
        module_provider.gate("more").open()
        *_, (name, data) = events
    assert name == "end"
    assert str(render("One.\n\n*Two*")).strip() in data
    assert Message.objects.get(pk=turn.reply.pk).content == "One.\n\n*Two*"


def test_a_finished_reply_ends_at_once(server: ChatServer, user: User, module_provider: ScriptedProvider) -> None:
    module_provider.play(reply("Done."))
    turn = turns.send(user, text="Go")
    with Stream(server, user, turn.reply) as viewer:
        assert viewer.last()[0] == "end"
    with Stream(server, user, turn.reply) as viewer:
        assert [name for name, _ in viewer.events()] == ["end"]


def test_the_last_event_is_written_in_the_readers_time_zone(
    server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(reply("Done."))
    turn = turns.send(user, text="Go")
    with Stream(server, user, turn.reply, cookies="timezone=Asia/Tokyo") as viewer:
        _, html = viewer.last()
    hour = timezone.localtime(turn.reply.created_at, ZoneInfo("Asia/Tokyo")).strftime("%H:%M")
    assert read(html).one("time")["title"].endswith(f" {hour}")


def test_many_viewers_share_one_rendering() -> None:
    live = LiveReply(Message().pk)
    live.text = "One.\n\nTwo"
    assert Viewer().frame(live) == Viewer().frame(live)
    assert rendering(live) is rendering(live)


def test_a_viewer_that_goes_away_does_not_stop_the_reply(
    server: ChatServer, user: User, module_provider: ScriptedProvider
) -> None:
    module_provider.play(stream(Text("One "), Gate("on"), Text("two."), *END))
    turn = turns.send(user, text="Count")
    with Stream(server, user, turn.reply) as viewer:
        next(viewer.events())
    module_provider.wait_for_requests(1)
    module_provider.gate("on").open()
    with Stream(server, user, turn.reply) as viewer:
        assert viewer.last()[0] == "end"
    message = Message.objects.select_related("generation").get(pk=turn.reply.pk)
    assert (message.content, message.generation.status) == ("One two.", Status.COMPLETE)


def test_anothers_reply_cannot_be_watched(server: ChatServer, user: User, stranger: User) -> None:
    turn = turns.send(user, text="Private")
    with Stream(server, stranger, turn.reply) as viewer:
        assert viewer.response.status == 404
    assert Message.objects.select_related("generation").get(pk=turn.reply.pk).generation.status == Status.PENDING


def test_too_many_streams_of_one_person_are_told_to_come_back(
    transactional_db: None, user: User, stranger: User, provider: ScriptedProvider
) -> None:
    provider.always(stream(Text("One "), Gate("on"), Text("two."), *END))
    with ChatServer(OPENAI_BASE_URL=provider.url, CHAT_STREAMS_PER_USER="1") as server:
        first, second = (turns.send(user, text="Count") for _ in range(2))
        with Stream(server, user, first.reply) as viewer:
            next(viewer.events())
            with Stream(server, user, second.reply) as refused:
                assert refused.response.status == 429
                assert refused.response.headers["Retry-After"]
            with Stream(server, stranger, turns.send(stranger, text="Count").reply) as other:
                assert other.response.status == 200
            # It is made all the same.
            provider.gate("on").open()
            assert viewer.last()[0] == "end"
        with Stream(server, user, second.reply) as viewer:
            assert viewer.last()[0] == "end"


def test_the_last_event_names_the_addresses_of_a_site_below_a_path(
    transactional_db: None, user: User, provider: ScriptedProvider
) -> None:
    provider.play(error(401, "no"))
    turn = turns.send(user, text="Go")
    with (
        ChatServer(OPENAI_BASE_URL=provider.url, UVICORN_ROOT_PATH="/chat") as server,
        Stream(server, user, turn.reply) as viewer,
    ):
        _, html = viewer.last()
    assert f'action="/chat/messages/{turn.reply.pk}/retry/"' in html
