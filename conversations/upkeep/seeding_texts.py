"""Texts for demonstration conversations: people, topics, questions, answers, comments."""

FIRST_NAMES = (
    "Ada", "Amir", "Bruno", "Chiara", "Dmitri", "Elif", "Fatou", "Goran", "Hana", "Ines", "Jonas", "Kofi", "Lena",
    "Mateo", "Nadia", "Olu", "Priya", "Quentin", "Rosa", "Sami", "Tove", "Uma", "Viktor", "Wen", "Yara", "Zoltan",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Berg", "Castillo", "Dubois", "Eriksen", "Fontana", "Garcia", "Hughes", "Ito", "Jansen", "Kaya", "Lopez",
    "Mensah", "Novak", "Okafor", "Petrov", "Quinn", "Rossi", "Singh", "Tanaka", "Urban", "Vogel", "Weber", "Yilmaz",
)  # fmt: skip
TOPICS = (
    "our onboarding guide", "a list comprehension", "the quarterly report", "database indexes", "a trip to Lisbon",
    "the release notes", "unit tests", "a polite reminder", "sourdough bread", "our holiday policy", "a SQL join",
    "the team offsite", "an incident review", "regular expressions", "a job interview", "the pricing page",
    "time zones", "a garden in the shade", "the customer survey", "a slow web page",
)  # fmt: skip
QUESTIONS = (
    "How do I get started with {topic}?",
    "Can you give me a short summary of what matters about {topic}?",
    "Write three sentences about {topic} for a newsletter.",
    "What are the most common mistakes with {topic}, and how do I avoid them?",
    "Could you make that shorter, and a little less formal?",
    "What would you ask first if you had to work on {topic} tomorrow?",
    "Is there anything about {topic} that a beginner would overlook?",
    "Please turn this into a checklist.",
    "Why does that matter?",
)
ANSWERS = (
    "There are two things to know about {topic}. First, decide what it is for and who reads or uses it; second, begin "
    "with the smallest version that is useful, and let it grow from what people ask.",
    "In short:\n\n1. **Collect** what you already have about {topic}.\n2. **Order** it by how often it is needed.\n"
    "3. **Leave out** the rest, and say where it can be found.\n\nMost of the time goes into the second step.",
    "The usual mistake with {topic} is to do everything at once. Take one case that you know well, follow it from "
    "beginning to end, and write down each point at which you had to guess. Those points are your next steps.",
    "Here is a checklist for {topic}:\n\n- Is there an owner?\n- Is it clear when it is done?\n- What happens when it "
    "goes wrong, and who is told?\n- When will somebody look at it again?",
    "That depends on how large {topic} has become.\n\n| size | what helps |\n|---|---|\n| small | a list |\n"
    "| medium | a page with headings |\n| large | several pages, and a search |\n\nIf in doubt, begin small.",
    "Because people decide within seconds whether {topic} concerns them. Say in the first sentence what it is about "
    "and what they are asked to do; reasons and details can follow for those who read on.",
)
CODE = (
    "```python\nfrom collections import Counter\n\ndef commonest(words: list[str], count: int = 3) -> list[str]:\n"
    '    """The words that occur most often, the most frequent first."""\n'
    "    return [word for word, _ in Counter(words).most_common(count)]\n```",
    "```sql\nSELECT customer.name, count(*) AS orders\nFROM customer JOIN orders ON orders.customer_id = customer.id\n"
    "WHERE orders.placed_at > now() - interval '30 days'\nGROUP BY customer.name\nORDER BY orders DESC;\n```",
)
REASONING = (
    "The question is broad. A short answer with one concrete step is more useful than a complete one.",
    "They asked for a list before, so a list again, but shorter. No more than four points.",
)
COMMENTS = ("Too long.", "That is not what I asked.", "The second half is wrong.", "")
