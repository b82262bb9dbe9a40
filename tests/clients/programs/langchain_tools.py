"""LangChain with tools before the site: prints as JSON what came of a round. BASE_URL and KEY say where to ask.

The argument says by which protocol: `completions` or `responses`.
"""

import json
import os
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

model = ChatOpenAI(
    model="scripted",
    base_url=os.environ["BASE_URL"],
    api_key=os.environ["KEY"],
    max_retries=0,
    use_responses_api=sys.argv[1] == "responses",
)


class Place(BaseModel):
    """A place."""

    name: str
    depth: int


@tool
def look(at: str) -> str:
    """Look."""
    return f"the {at}"


def round_of(answered):
    """What the model calls, and what it says once it has the results."""
    said = [HumanMessage("What is there?")]
    answer = answered(said)
    results = [ToolMessage(look.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]
    last = answered([*said, answer, *results])
    return {
        "calls": [[call["name"], call["args"]] for call in answer.tool_calls],
        "invalid": len(answer.invalid_tool_calls),
        "said": last.text,
    }


def streamed(said):
    """The whole answer, added up from its chunks."""
    whole = None
    for chunk in bound.stream(said):
        whole = chunk if whole is None else whole + chunk
    return whole


bound = model.bind_tools([look], tool_choice="auto", parallel_tool_calls=True)
place = model.with_structured_output(Place, method="json_schema").invoke("Where?")
print(
    json.dumps(
        {
            "whole": round_of(bound.invoke),
            "streamed": round_of(streamed),
            "place": [place.name, place.depth],
            "plain": model.invoke("Hello").text,
            "reasoning": [block["type"] for block in model.invoke("Think").content_blocks],
        }
    )
)
