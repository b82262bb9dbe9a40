"""LangChain before the site: prints as JSON what it made of the answers. BASE_URL and KEY say where to ask."""

import json
import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

HERE = {"base_url": os.environ["BASE_URL"], "api_key": os.environ["KEY"]}
model = ChatOpenAI(model="scripted", max_retries=2, temperature=0.5, stream_usage=True, **HERE)


@tool
def look(at: str) -> str:
    """Look."""
    return at


def refused(text):
    """The classes of the error that a question raises."""
    try:
        model.invoke(text)
    except Exception as error:
        return [kind.__name__ for kind in type(error).__mro__]
    return []


chunks = list(model.stream("Hello"))
called = model.bind_tools([look]).invoke("script: tools")
whole = model.invoke("Hello")
vectors = OpenAIEmbeddings(model="embedder", check_embedding_ctx_length=False, **HERE).embed_documents(["a", "b"])
print(
    json.dumps(
        {
            "whole": whole.content,
            "tokens": whole.usage_metadata["total_tokens"],
            "streamed": "".join(chunk.content for chunk in chunks),
            "calls": [[call["name"], call["args"]] for call in called.tool_calls],
            "errors": {name: refused(f"script: {name}") for name in ("too-long", "401", "404")},
            "vectors": vectors,
        }
    )
)
