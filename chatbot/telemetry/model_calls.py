"""One request to the model's provider, as it is watched."""

import time
from typing import TYPE_CHECKING

from chatbot.telemetry import metrics, origin, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class ModelCall:
    """What is told of one request to a provider, from its making to `ended`; it holds counts and names, no text."""

    def __init__(self) -> None:
        self.begun = False
        """Whether a piece of the answer has come."""
        self._model = ""
        self._error = "stopped"
        self._prompt_tokens: int | None = None
        self._completion_tokens: int | None = None
        self._at = time.perf_counter()
        self._span: Span | None = None

    def ask(self, address: str, model: str) -> dict[str, str]:
        """The provider at this address is about to be asked. Returns what the request says of where it comes from: the
        id as OpenAI keeps it, and as gateways log it; and the trace."""
        self._model = model
        self._span = tracing.begin_model_call(address, model)
        headers = tracing.headers_of(self._span) if self._span else {}
        if request_id := origin.request_id():
            headers |= {origin.HEADER: request_id, "X-Client-Request-Id": request_id}
        return headers

    def begin(self, model: str) -> None:
        """The first piece of the answer has come, from this model."""
        self.begun = True
        self._model = model
        metrics.answers(model)
        waited = time.perf_counter() - self._at
        metrics.model_seconds.labels(metrics.model_label(model)).observe(waited)
        if self._span:
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", waited)

    def count_tokens(self, prompt_tokens: int, completion_tokens: int) -> None:
        """The provider has counted."""
        self._prompt_tokens, self._completion_tokens = prompt_tokens, completion_tokens
        label = metrics.model_label(self._model)
        metrics.prompt_tokens.labels(label).inc(prompt_tokens)
        metrics.completion_tokens.labels(label).inc(completion_tokens)

    def fail(self, code: str, model: str) -> None:
        """It came to nothing, or broke off."""
        self._error, self._model = code, model

    def finish(self) -> None:
        """The answer is whole."""
        self._error = ""

    def end(self) -> None:
        """Nothing more will come: whole, failed, or because nobody wants more of it."""
        metrics.model_requests.labels(metrics.model_label(self._model), self._error).inc()
        if self._span:
            tracing.end_model_call(
                self._span,
                model=self._model,
                error=self._error,
                prompt_tokens=self._prompt_tokens,
                completion_tokens=self._completion_tokens,
            )
