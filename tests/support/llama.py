"""A llama.cpp server with the demo weights and a template that knows tools: `python -m tests.support.llama`."""

import sys
from pathlib import Path

import xllamacpp

from chatbot.embedded.weights import MODEL, installed_weights

TEMPLATE = Path(__file__).with_name("hermes.jinja")
"""The form in which models of the families Hermes and Qwen know tools."""


def main() -> None:
    """Print the address, and serve until the standard input ends."""
    params = xllamacpp.CommonParams()
    params.model.path = str(installed_weights())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.offline = True
    params.verbosity = 0
    params.n_ctx = 4096
    params.use_jinja = True
    params.chat_template = TEMPLATE.read_text()
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}/v1\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
