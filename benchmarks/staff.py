"""Staff's lists and transcripts among a million messages: the first page, a far one, a filter without an index."""

from django.db import connection

from accounts.models import User
from benchmarks.figures import Figure, Report, percentile
from benchmarks.pages import opened
from benchmarks.people import sign_in
from benchmarks.site import Site
from chatbot.core.cursors import Cursor
from conversations.models import Conversation, Feedback, Message

MESSAGES, EACH, LONG, PEOPLE = 1_000_000, 10, 10_000, 1_000
WARM_UP, OPENINGS = 2, 15

KEY = """overlay(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || substr(md5({salt}), 1, 20)
    PLACING '7' FROM 13)::uuid"""
FILL = f"""
INSERT INTO conversations_conversation (id, user_id, title, created_at, updated_at)
SELECT {KEY.format(at="at", salt="number::text")}, keys[1 + number %% cardinality(keys)], '', at, at
FROM (SELECT number, now() - number * interval '1 minute' AS at FROM generate_series(1, %(conversations)s) AS number
    ) AS made, (SELECT array_agg(id) AS keys FROM accounts_user) AS people;

INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
SELECT {KEY.format(at="at", salt="id::text || turn")}, id, user_id, 'assistant', '', at
FROM (SELECT id, user_id, turn, created_at + turn * interval '1 second' AS at
    FROM conversations_conversation, generate_series(1, %(each)s) AS turn ORDER BY created_at) AS made;

INSERT INTO conversations_message (id, conversation_id, user_id, role, content, created_at)
SELECT {KEY.format(at="at", salt="'long' || turn")}, id, user_id, 'assistant', '', at
FROM (SELECT id, user_id, turn, created_at + (100 + turn) * interval '1 second' AS at
    FROM (SELECT * FROM conversations_conversation ORDER BY created_at LIMIT 1) AS oldest,
        generate_series(1, %(long)s) AS turn) AS made;

UPDATE conversations_message AS reply SET parent_id = previous.parent_id FROM (
    SELECT id, lag(id) OVER (ORDER BY created_at) AS parent_id FROM conversations_message
    WHERE conversation_id = (SELECT id FROM conversations_conversation ORDER BY created_at LIMIT 1)
) AS previous WHERE previous.id = reply.id;

UPDATE conversations_conversation AS conversation SET current_message_id = newest.id
FROM (SELECT DISTINCT ON (conversation_id) conversation_id, id FROM conversations_message
    ORDER BY conversation_id, created_at DESC) AS newest WHERE newest.conversation_id = conversation.id;

INSERT INTO conversations_generation (message_id, conversation_id, status, model, draft, worker, error_code,
    error_detail, error)
SELECT id, conversation_id, 'complete', 'model', '', '', '', '', '' FROM conversations_message ORDER BY id;

INSERT INTO conversations_feedback (message_id, user_id, rating, comment, created_at, updated_at)
SELECT id, user_id, 'up', '', created_at, created_at FROM conversations_message WHERE random() < 0.1;

ANALYZE;
"""  # noqa: S608 (constants)


def measure(site: Site, *, messages: int = MESSAGES, openings: int = OPENINGS) -> Report:
    """Open the pages on a server as in production."""
    person, *_ = sign_in(PEOPLE)
    User.objects.filter(pk=person.user.pk).update(is_staff=True, is_superuser=True)
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"conversations": messages // EACH, "each": EACH, "long": LONG})
    figures, slowest = list[Figure](), 0.0
    with site.server() as server:
        for name, place in pages().items():
            path = f"/admin/conversations/{place}"
            times = [opened(server, person, path) for _ in range(WARM_UP + openings)][WARM_UP:]
            slowest = max(slowest, percentile(times, 0.95))
            figures.append(Figure(f"staff: {name}, p50", percentile(times, 0.5), "ms"))
    figures.append(Figure("staff: the slowest of these, p95", slowest, "ms", most=300))
    return Report(figures)


def pages() -> dict[str, str]:
    """Description of each page -> its address below the admin's app."""
    middle = Conversation.objects.order_by("-updated_at")[Conversation.objects.count() // 2]
    message = Message.objects.filter(conversation=middle).latest("created_at")
    thumb = Feedback.objects.filter(updated_at__lte=middle.updated_at).order_by("-updated_at")[0]
    long = Conversation.objects.earliest("created_at")
    return {
        "conversations": "conversation/",
        "conversations, far back": f"conversation/?p={middle.cursor}",
        "conversations of one person": f"conversation/?user__id__exact={middle.user_id}",
        "conversations with a thumb down, of which there is none": "conversation/?feedback=down",
        "messages": "message/",
        "messages, far back": f"message/?p={Cursor(message.created_at, message.pk)}",
        "generations": "generation/",
        "generations, far back": f"generation/?p={message.pk}",
        "failed generations, of which there is none": "generation/?status=failed",
        "feedback, far back": f"feedback/?p={Cursor(thumb.updated_at, thumb.pk)}",
        "a transcript of 10,000 messages, its end": f"conversation/{long.pk}/change/",
    }
