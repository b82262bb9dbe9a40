"""Keys of an identity provider, fetched so that a silent provider cannot block the site's threads."""

import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import jwt

KEYS_PAUSE_SECONDS = 5.0
"""Seconds before a provider that gave no keys is asked again."""
KEYS_MAX_BYTES = 1024 * 1024
SHARED_WAIT_SECONDS = 0.5
"""Seconds that a request waits for keys that another request has asked for."""


class Fetch:
    """One request to the provider, and its result."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.ended = 0.0
        self.done = threading.Event()
        self.keys: Any = None
        self.why = "The keys did not come in time."

    @property
    def is_over(self) -> bool:
        """Whether the provider may be asked again."""
        pause = 0.0 if self.keys else KEYS_PAUSE_SECONDS
        return self.done.is_set() and time.monotonic() >= self.ended + pause


class KeyClient(jwt.PyJWKClient):
    """The identity provider's keys, fetched by a thread.

    One request waits as long as the time-out for them, others half a second, because they occupy threads that also
    serve the pages.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._fetch: Fetch | None = None
        self._lock = threading.Lock()

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """The key with this id. Raises `PyJWKClientError`.

        Unlike the parent's method it holds no lock: a request with a known key never waits for one with an unknown key.
        """
        key = self.match_kid(self.get_signing_keys(), kid)
        if not key and not self._is_fresh:
            key = self.match_kid(self.get_signing_keys(refresh=True), kid)
        if not key:
            raise jwt.PyJWKClientError("The provider has no such key.")
        return key

    def fetch_data(self) -> Any:
        """The keys. Raises `PyJWKClientConnectionError` when they cannot be fetched, or could not a moment ago."""
        with self._lock:
            if is_mine := self._fetch is None or self._fetch.is_over:
                self._fetch = Fetch()
                threading.Thread(target=self._ask, args=(self._fetch,), name="keys", daemon=True).start()
            fetch = self._fetch
        until = fetch.began + (self.timeout if is_mine else SHARED_WAIT_SECONDS)
        fetch.done.wait(max(0.0, until - time.monotonic()))
        if not fetch.keys:
            raise jwt.PyJWKClientConnectionError(fetch.why)
        return fetch.keys

    @property
    def _is_fresh(self) -> bool:
        """Whether the keys are so recent that an unknown key cannot be a new one."""
        fetch = self._fetch
        return fetch is not None and bool(fetch.keys) and time.monotonic() - fetch.ended < self.cooldown_duration

    def _ask(self, fetch: Fetch) -> None:
        try:
            fetch.keys = self._read()
        except Exception as error:  # whatever a provider answers, the next request must know that it did
            fetch.why = str(error)
        fetch.ended = time.monotonic()
        fetch.done.set()

    def _read(self) -> dict[str, Any]:
        """Fetch the keys; unlike the parent's method, reads a bounded number of bytes."""
        asked = urllib.request.Request(self.uri, headers=self.headers)  # noqa: S310 (the operator's setting)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if self.ssl_context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=self.ssl_context))
        try:
            with urllib.request.build_opener(*handlers).open(asked, timeout=self.timeout) as answer:
                body = answer.read(KEYS_MAX_BYTES + 1)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise
        if len(body) > KEYS_MAX_BYTES:
            raise ValueError(f"The keys are more than {KEYS_MAX_BYTES} bytes.")
        keys = json.loads(body)
        if not isinstance(keys, dict):
            raise ValueError("The keys are no object.")  # noqa: TRY004 (of the answer, not of an argument)
        if self.jwk_set_cache is not None:
            self.jwk_set_cache.put(keys)
        return keys


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error: the keys are at the address in the settings."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that no redirect is followed."""
