"""Somebody's account as the pictures show it: what they asked, what was answered."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from conversations.models import Conversation, Feedback, Message
from tests.factories import ConversationFactory, MessageFactory, PresetFactory, ReplyFactory, UserFactory

MODEL = "large"
OTHER_MODEL = "small"

SOURDOUGH = """A loaf with a plain schedule, for a kitchen at about 21 °C:

| Step | When | What to look for |
|---|---|---|
| Mix | 18:00 | No dry flour left |
| Fold, three times | 18:30 to 20:00 | The dough holds together |
| Rest in the cold | 22:00 | Grown by a third |
| Bake at 240 °C | 8:00 | A deep brown crust |

The share of water decides how open the crumb will be: $h = \\frac{w}{f}$, so 350 g on 500 g of flour make 70 %.

> Wet dough forgives less. Begin at 68 % and go up by two.

1. **Weigh** everything, salt too.
2. **Wait** for the dough, not for the clock.
   - Warm kitchen: half an hour less.
   - Cold kitchen: an hour more.
"""
ORDERS = """Group the orders by customer, then keep the ones above the limit with `HAVING`:

```python
from django.db.models import Count

def busy_customers(minimum: int = 10) -> list[str]:
    \"\"\"Names of those with at least so many orders this month.\"\"\"
    found = Customer.objects.annotate(count=Count("orders")).filter(count__gte=minimum)
    return [customer.name for customer in found.order_by("-count")]
```

One query, however many customers there are. An index on `orders.customer_id` is all it needs.
"""
LETTER_WARM = """Dear Mrs. Tanaka,

thank you for your patience. Your order left our house this morning and will be with you on **Thursday**. The delay was
ours: a part came late, and we should have told you at once.

If Thursday does not suit you, a short reply is enough, and we will find another day.

With kind regards
"""
LETTER_SHORT = """Dear Mrs. Tanaka,

your order left our house this morning and arrives on **Thursday**. The delay was ours, and we are sorry for it.

With kind regards
"""
TITLES = (
    "A quiet week in Lisbon", "Release notes for the spring", "Why the build is slow", "Names for a reading group",
    "A toast for Ada and Viktor", "Time zones in the calendar", "Plants for a north window", "Interview questions",
    "A talk about indexes", "Soup for twelve", "From CSV to a chart", "The offsite in May", "Patterns for dates",
    "A polite reminder", "How tides work", "Shorter onboarding", "Learning to read scores", "A bicycle for the hills",
    "What to plant in March", "Notes on the survey", "A small budget", "Bread without kneading",
)  # fmt: skip
QUESTION = "What should I know about this before I begin?"
ANSWER = "Begin with the smallest part that is useful by itself, and let the rest follow from what you learn."


@dataclass(frozen=True, slots=True)
class Account:
    """A person, and the conversations that the pictures open."""

    user: User
    sourdough: Conversation
    orders: Conversation
    letter: Conversation


def furnish() -> Account:
    """An account with everything in it, stored."""
    user = UserFactory.create(email="ada@example.org")
    for number, title in enumerate(TITLES):
        past = timedelta(hours=7 * (number + 1) ** 1.6)
        said(
            _conversation(user, title, past, archived=number % 9 == 4, trashed=number % 7 == 5), QUESTION, ANSWER, past
        )
    sourdough = _conversation(user, "Sourdough for the weekend", timedelta(hours=2), pinned=True)
    said(sourdough, "Plan a sourdough loaf for Saturday morning, with a table I can pin to the wall.", SOURDOUGH)
    orders = _conversation(user, "Customers with many orders", timedelta(minutes=40))
    answer = said(
        orders,
        "How do I list the customers with more than ten orders this month, in one query?",
        ORDERS,
        reasoning="They want one query. Aggregation with a filter on it, then the names. Mention the index.",
    )
    Feedback.objects.create(message=answer, user=user, rating="up", comment="Clear, and it runs.")
    letter = _conversation(user, "A letter about a late order", timedelta(minutes=4))
    warm = said(letter, "Write a short letter to Mrs. Tanaka: her order is late, it comes on Thursday.", LETTER_WARM)
    _reply(letter, warm.parent, LETTER_SHORT, timedelta(minutes=3), model=OTHER_MODEL)
    _furnish_presets(user)
    return Account(user, sourdough, orders, letter)


def said(
    conversation: Conversation, question: str, answer: str, past: timedelta = timedelta(minutes=5), reasoning: str = ""
) -> Message:
    """A question and its answer at the end of the conversation; the answer."""
    at = timezone.now() - past
    asked = MessageFactory.create(conversation=conversation, content=question, created_at=at)
    return _reply(conversation, asked, answer, past, reasoning=reasoning)


def _reply(
    conversation: Conversation,
    parent: Message | None,
    text: str,
    past: timedelta,
    *,
    model: str = MODEL,
    reasoning: str = "",
) -> Message:
    fields: dict[str, object] = {"generation__model": model, "generation__reasoning": reasoning}
    if reasoning:
        fields["generation__reasoning_seconds"] = 4.0
    at = timezone.now() - past
    return ReplyFactory.create(conversation=conversation, parent=parent, content=text, created_at=at, **fields)


def _conversation(
    user: User, title: str, past: timedelta, *, pinned: bool = False, archived: bool = False, trashed: bool = False
) -> Conversation:
    at = timezone.now() - past
    return ConversationFactory.create(
        user=user,
        title=title,
        created_at=at,
        updated_at=at,
        pinned_at=at if pinned else None,
        archived_at=at if archived else None,
        trashed_at=timezone.now() - past / 20 if trashed else None,
    )


def _furnish_presets(user: User) -> None:
    PresetFactory.create(
        user=user,
        name="Translator",
        system_prompt="Translate what I send into English. Keep names, numbers and the tone. Give the text only.",
        temperature=0.2,
    )
    PresetFactory.create(
        user=user,
        name="Code reviewer",
        system_prompt="Read the code as a careful colleague. Say first what is wrong, then what could be simpler.",
        model=MODEL,
    )
    PresetFactory.create(user=None, name="House style", system_prompt="Short sentences, British spelling, no jargon.")
