"""An identity provider: keys that sign tokens, and a server that publishes the public ones."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://id.example.org/", "chatbot"


class IdentityProvider:
    """Signs tokens with a key of each kind; `url` is where the public keys are while `serving`."""

    url: str

    def __init__(self) -> None:
        self.private: dict[str, Any] = {
            "RS256": rsa.generate_private_key(65_537, 2_048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.published = {name: name for name in self.private}
        """The keys in the list: the algorithm of each `kid`."""
        self.asked = 0
        self.is_away = False
        """Whether it answers with an error."""

    def keys(self) -> dict[str, Any]:
        """The list of public keys."""
        kinds: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        return {
            "keys": [
                kinds[name].to_jwk(self.private[name].public_key(), as_dict=True)
                | {"kid": kid, "alg": name, "use": "sig"}
                for kid, name in self.published.items()
            ]
        }

    def token(self, algorithm: str = "RS256", *, kid: str | None = None, key: Any = None, **claims: Any) -> str:
        """A token for an hour with these claims; None leaves one out."""
        now = datetime.now(UTC)
        said = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + timedelta(hours=1)} | claims
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            key or self.private[algorithm],
            algorithm=algorithm,
            headers={"kid": kid or algorithm},
        )

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Publish the keys."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                body = json.dumps(provider.keys()).encode()
                self.send_response(503 if provider.is_away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/keys"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield
            server.shutdown()
            thread.join()
