"""One request to the model's provider, as it is watched."""

import time

from chatbot.telemetry import metrics, origin


class ModelCall:
    """What is told of one request to a provider, from its making to `ended`; it holds counts and names, no text."""

    def __init__(self) -> None:
        self.begun = False
        """Whether a piece of the answer has come."""
        self._model = ""
        self._error = "stopped"
        self._at = time.perf_counter()

    @property
    def headers(self) -> dict[str, str]:
        """What the request says of where it comes from: the id as OpenAI keeps it, and as gateways log it."""
        request_id = origin.request_id()
        return {origin.HEADER: request_id, "X-Client-Request-Id": request_id} if request_id else {}

    def begin(self, model: str) -> None:
        """The first piece of the answer has come, from this model."""
        self.begun = True
        self._model = model
        metrics.answers(model)
        metrics.model_seconds.labels(metrics.model_label(model)).observe(time.perf_counter() - self._at)

    def use(self, prompt_tokens: int, completion_tokens: int) -> None:
        """The provider has counted."""
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
