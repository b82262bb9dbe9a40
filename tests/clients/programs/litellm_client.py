"""LiteLLM before the site: prints as JSON what it made of the answers. BASE_URL and KEY say where to ask."""

import json
import os
import sys

import litellm

litellm.suppress_debug_info = True
HERE = {"api_base": os.environ["BASE_URL"], "api_key": os.environ["KEY"]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def hello(text="Hello"):
    """A message."""
    return [{"role": "user", "content": text}]


def ask(text="Hello", **more):
    """A completion."""
    return litellm.completion(model="openai/scripted", messages=hello(text), **HERE, **more)


def refused(text):
    """The class of the error that a completion raises, and how often it was asked for."""
    try:
        ask(text, max_retries=2)
    except Exception as error:
        return type(error).__name__
    return "nothing"


def plain():
    """What comes of ordinary requests."""
    return {
        "whole": ask().choices[0].message.content,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in ask(stream=True)),
        "usage": ask().usage.total_tokens,
    }


def tools():
    """What comes of tools."""
    call = ask(tools=[TOOL]).choices[0].message.tool_calls[0]
    return [call.function.name, call.function.arguments]


def errors():
    """The class of each error."""
    return {name: refused(f"script: {name}") for name in sys.argv[2].split(",")}


def fallback():
    """Whether a larger model is asked where the smaller one cannot read it all."""
    models = [
        {"model_name": name, "litellm_params": {"model": "openai/scripted", "max_retries": 0, **HERE}}
        for name in ("small", "large")
    ]
    router = litellm.Router(model_list=models, context_window_fallbacks=[{"small": ["large"]}], num_retries=0)
    whole = router.completion(model="small", messages=hello()).choices[0].message.content
    chunks = router.completion(model="small", messages=hello(), stream=True)
    return {"whole": whole, "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks)}


print(json.dumps({"plain": plain, "tools": tools, "errors": errors, "fallback": fallback}[sys.argv[1]]()))
