"""LiteLLM before the site by OpenAI's newer protocol: prints as JSON what it made of it. BASE_URL and KEY say where."""

import json
import os

import litellm

litellm.suppress_debug_info = True
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


def ask(**more):
    """A response."""
    here = {"api_base": os.environ["BASE_URL"], "api_key": os.environ["KEY"]}
    return litellm.responses(model="openai/scripted", **{"input": "Hello"} | here | more)


def text_of(response):
    """The text of a response."""
    return "".join(part.text for item in response.output if item.type == "message" for part in item.content)


calls = [item for item in ask(input="What is there?", tools=[TOOL]).output if item.type == "function_call"]
print(
    json.dumps(
        {
            "whole": text_of(ask()),
            "streamed": "".join(
                event.delta for event in ask(stream=True) if event.type == "response.output_text.delta"
            ),
            "calls": [[call.name, call.arguments] for call in calls],
        }
    )
)
