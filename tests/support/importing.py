"""Files for tests of the import, and the results from the page."""

import json
from typing import Any
from uuid import uuid4

from tests.support.elements import read
from tests.support.visitor import Answer

TIME = "2026-05-01T10:00:00+00:00"


def message(content: str = "Hello", *, parent: str | None = None, role: str = "user", **more: Any) -> dict[str, Any]:
    fields = {"id": str(uuid4()), "parent": parent, "role": role, "content": content, "created_at": TIME}
    return fields | more


def conversation(title: str = "Capitals", messages: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    asked = message("Capital of France?")
    said = messages or [asked, message("Paris.", parent=asked["id"], role="assistant")]
    return {"id": str(uuid4()), "title": title, "created_at": TIME, "updated_at": TIME, "messages": said}


def document(*conversations: Any, **head: Any) -> bytes:
    """A file in the format of the export."""
    lines = ",\n".join(json.dumps(each) for each in conversations)
    start = json.dumps({"format": "chatbot-conversations", "version": 1} | head)
    return f'{start[:-1]}, "conversations": [\n{lines}\n]}}\n'.encode()


def told(answer: Answer) -> list[tuple[str, str]]:
    """The page's result for each conversation: CSS class and text."""
    assert answer.status == 200, answer.text
    return [(entry["class"], entry.words) for entry in read(answer.text).all("li[class]")]


def outcomes(answer: Answer) -> list[str]:
    return [kind for kind, _ in told(answer)][:-1]
