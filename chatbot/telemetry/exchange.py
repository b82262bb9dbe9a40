"""One request and its answer, as they are watched."""

from typing import Any

from chatbot.telemetry import origin


class Exchange:
    """What is told of one request: everything in it is known by the end of `send`'s last call."""

    def __init__(self, scope: Any, send: Any) -> None:
        self._send = send
        self.request_id = origin.id_for(scope["headers"])
        origin.begin(request_id=self.request_id)

    async def send(self, message: Any) -> None:
        """Pass a message of the answer on; its headers name the request."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (origin.NAME, self.request_id.encode())]
        await self._send(message)
