"""Telemetry of one request to the model's provider."""

import time
from typing import TYPE_CHECKING

from chatbot.telemetry import metrics, origin, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class ModelCall:
    """Metrics and trace of one request to a provider, from its start to its end; holds counts and names, no text."""

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
        """Record that the provider at this address is asked; returns headers with the request's origin.

        These are the id, in OpenAI's and in the gateways' form, and the trace.
        """
        self._model = model
        self._span = tracing.begin_model_call(address, model)
        headers = tracing.headers_of(self._span) if self._span else {}
        if request_id := origin.request_id():
            headers |= {origin.HEADER: request_id, "X-Client-Request-Id": request_id}
        return headers

    def begin(self, model: str) -> None:
        """Record that the first piece of the answer has come, from this model."""
        self.begun = True
        self._model = model
        metrics.answers(model)
        waited = time.perf_counter() - self._at
        metrics.model_seconds.labels(metrics.model_label(model)).observe(waited)
        if self._span:
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", waited)

    def count_tokens(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Record the provider's counts of tokens."""
        self._prompt_tokens, self._completion_tokens = prompt_tokens, completion_tokens
        label = metrics.model_label(self._model)
        metrics.prompt_tokens.labels(label).inc(prompt_tokens)
        metrics.completion_tokens.labels(label).inc(completion_tokens)

    def fail(self, code: str, model: str) -> None:
        """Record that the request failed or broke off."""
        self._error, self._model = code, model

    def finish(self) -> None:
        """Record that the answer is complete."""
        self._error = ""

    def end(self) -> None:
        """Record the end of the request, complete, failed or cancelled."""
        metrics.model_requests.labels(metrics.model_label(self._model), self._error).inc()
        if self._span:
            tracing.end_model_call(
                self._span,
                model=self._model,
                error=self._error,
                prompt_tokens=self._prompt_tokens,
                completion_tokens=self._completion_tokens,
            )
