"""Settings read from environment variables; a wrong value stops the start with a sentence that names the variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


class Environment:
    """The process's environment variables, completed by a `.env` file.

    Every method takes the variable's name and what holds when it is missing, and raises
    `ImproperlyConfigured` with the variable's name when its value cannot be used.
    """

    def __init__(self, file: Path) -> None:
        self._env = environ.Env()
        if file.is_file():
            self._env.read_env(file)

    def text(self, name: str, default: str = "") -> str:
        """The value without surrounding white space."""
        return str(self._env.str(name, default=default)).strip()

    def required(self, name: str, why: str) -> str:
        """A value that must be there; `why` completes the sentence when it is not."""
        value = self.text(name)
        if not value:
            raise ImproperlyConfigured(f"{name} is not set. {why}")
        return value

    def choice(self, name: str, default: str, *, among: tuple[str, ...]) -> str:
        """One of these words, as it is written there; upper and lower case are the same."""
        value = self.text(name, default)
        for word in among:
            if value.lower() == word.lower():
                return word
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(among)}.")

    def secret(self, name: str, *, least: int) -> str:
        """A value of at least so many characters, or an empty text."""
        value = self.text(name)
        if value and len(value) < least:
            raise ImproperlyConfigured(f"{name} has fewer than {least} characters: anybody could guess it.")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """true or false; also 1/0, yes/no, on/off."""
        value = self.text(name, str(default)).lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")
        return value in TRUE

    def integer(self, name: str, default: int, *, least: int, most: int = 2**31) -> int:
        """A whole number within `least` and `most`, both included."""
        return int(self._number(name, default, int, least, most, "a whole number"))

    def seconds(self, name: str, default: float, *, least: float = 0.001, most: float = 86_400) -> float:
        """A duration in seconds within `least` and `most`."""
        return float(self._number(name, default, float, least, most, "a number of seconds"))

    def words(self, name: str, default: str = "") -> list[str]:
        """A comma-separated list, empty parts left out."""
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def url(self, name: str) -> str:
        """An http or https address without its trailing slash, or an empty text."""
        value = self.text(name)
        if value and not value.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"{name}={value!r} does not start with http:// or https://.")
        return value.rstrip("/")

    def database(self, name: str) -> dict[str, Any] | None:
        """Django's dictionary for a `postgres://` address, or None when the variable is missing."""
        value = self.text(name)
        if not value:
            return None
        if not value.startswith(("postgres://", "postgresql://")):
            raise ImproperlyConfigured(f"{name} must start with postgres://; only PostgreSQL is supported.")
        try:
            return dict(self._env.db_url_config(value))
        except (ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"{name} is not a database address: {error}") from error

    def mailer(self, name: str) -> dict[str, Any]:
        """Django's mailer for an address such as `smtp+tls://user:password@host:587`; without one, the console."""
        value = self.text(name)
        if value in {"", "consolemail://"}:
            return {"BACKEND": "accounts.mail.ReadableConsoleBackend"}
        try:
            config = environ.Env.email_url_config(value)
        except (ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"{name} is not an address such as smtp+tls://host:587: {error}") from error
        if not config["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
            return {"BACKEND": config["EMAIL_BACKEND"]}
        options = {
            "host": config["EMAIL_HOST"],
            "port": config["EMAIL_PORT"],
            "username": config["EMAIL_HOST_USER"],
            "password": config["EMAIL_HOST_PASSWORD"],
            "use_tls": config.get("EMAIL_USE_TLS", False),
            "use_ssl": config.get("EMAIL_USE_SSL", False),
        }
        return {
            "BACKEND": config["EMAIL_BACKEND"],
            "OPTIONS": {key: value for key, value in options.items() if value is not None},
        }

    def _number(
        self, name: str, default: float, kind: Callable[[str], float], least: float, most: float, what: str
    ) -> float:
        value = self.text(name, str(default))
        try:
            number = kind(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name}={value!r} is not {what}.") from None
        if not least <= number <= most:
            raise ImproperlyConfigured(f"{name}={value!r} must be between {least:g} and {most:g}.")
        return number
