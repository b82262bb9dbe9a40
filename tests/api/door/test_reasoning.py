"""What a model thinks, as OpenAI's clients are told of it."""

import pytest

from tests.api.program import Program
from tests.kit.provider import END, ScriptedProvider, Text, stream

pytestmark = pytest.mark.django_db(transaction=True)

UNMARKED = stream(Text("The sky?\n"), Text("</think>\n\nIt is"), Text(" blue."), *END)
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def test_reasoning_without_a_mark_at_its_beginning_is_told_from_the_answer(
    program: Program, module_provider: ScriptedProvider
) -> None:
    module_provider.play(UNMARKED)
    (choice,) = program.post("/v1/chat/completions", QUESTION).json["choices"]
    assert choice["message"]["content"] == "It is blue."
    assert choice["message"]["reasoning_content"] == "The sky?\n"


@pytest.mark.parametrize("metadata", [None, {"conversation": "new"}], ids=["not kept", "kept"])
def test_what_was_streamed_of_it_stands(
    program: Program, module_provider: ScriptedProvider, metadata: dict[str, str] | None
) -> None:
    module_provider.play(UNMARKED)
    asked = QUESTION | {"stream": True, "metadata": metadata}
    body = program.post("/v1/chat/completions", asked).body.decode()
    assert '"The sky?\\n"' in body
    assert body.index("It is") > body.index("The sky?")
    assert body.endswith("data: [DONE]\n\n")
