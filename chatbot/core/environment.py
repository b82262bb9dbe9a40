"""Settings read from environment variables; a wrong value stops the start with a sentence that names the variable."""

import io
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})
CONTACT = re.compile(r"mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\S+")
MAIL_TIMEOUT_SECONDS = 10
"""Seconds for which a mail server may be silent."""


NOWHERE = "accounts.mail.NowhereBackend"
"""The backend for mail when no setting names one."""


class Environment:
    """The process's environment variables, completed by a `.env` file.

    A variable's name may also end in `_FILE`: then its value is the content of that file, as Docker and systemd pass
    secrets. Every method takes the variable's name and a default, and raises `ImproperlyConfigured` with the variable's
    name when its value cannot be used.
    """

    def __init__(self, file: Path) -> None:
        self._env = environ.Env()
        if held := contents(file, "Make it readable for the user that runs the chat, or name another one in ENV_FILE."):
            self._env.read_env(io.StringIO(held))

    def text(self, name: str, default: str = "") -> str:
        """The value without surrounding white space."""
        value = str(self._env.str(name, default="")).strip()
        if not (path := str(self._env.str(f"{name}_FILE", default="")).strip()):
            return str(self._env.str(name, default=default)).strip()
        if value:
            raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
        held = contents(Path(path), f"{name}_FILE names it.")
        if held is None:
            raise ImproperlyConfigured(f"{path} is not there. {name}_FILE names it.")
        return held.strip()

    def required(self, name: str, why: str) -> str:
        """A value that must be set; `why` completes the sentence when it is not."""
        value = self.text(name)
        if not value:
            raise ImproperlyConfigured(f"{name} is not set. {why}")
        return value

    def choice(self, name: str, default: str, *, among: tuple[str, ...]) -> str:
        """One of these words, as it is written there; case is ignored."""
        value = self.text(name, default)
        for word in among:
            if value.lower() == word.lower():
                return word
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(among)}.")

    def secret(self, name: str, *, least: int) -> str:
        """A value of at least `least` characters, or an empty text."""
        value = self.text(name)
        if value and len(value) < least:
            raise ImproperlyConfigured(f"{name} has fewer than {least} characters: anybody could guess it.")
        return value

    def zone(self, name: str, default: str) -> str:
        """The name of a time zone, such as Europe/Berlin."""
        value = self.text(name, default)
        try:
            ZoneInfo(value)
        except (ValueError, OSError) as error:
            raise ImproperlyConfigured(f"{name}={value!r} is not a time zone such as Europe/Berlin.") from error
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A truth value: true or false; also 1/0, yes/no, on/off."""
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

    def networks(self, name: str) -> list[str]:
        """A comma-separated list of IP addresses and networks, or `*` for all of them."""
        found = self.words(name)
        for part in found:
            try:
                ipaddress.ip_network("0.0.0.0/0" if part == "*" else part)
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {error}. It takes 10.0.0.5, 10.0.0.0/8, fd00::/8 or *.") from None
        return ["*"] if "*" in found else found

    def path(self, name: str) -> str:
        """A path such as `/chat`, without a slash at its end, or an empty text."""
        value = self.text(name).rstrip("/")
        if value and not re.fullmatch(r"(/[\w.~-]+)+", value):
            raise ImproperlyConfigured(f"{name}={value!r} is not a path such as /chat.")
        return value

    def url(self, name: str) -> str:
        """An http or https address without its trailing slash, or an empty text."""
        value = self.text(name)
        if value and not value.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"{name}={value!r} does not start with http:// or https://.")
        return value.rstrip("/")

    def contacts(self, name: str) -> list[str]:
        """Comma-separated addresses of people or pages, e-mail addresses with `mailto:` before them."""
        found = [word if ":" in word else f"mailto:{word}" for word in self.words(name)]
        if wrong := [word for word in found if not CONTACT.fullmatch(word)]:
            raise ImproperlyConfigured(f"{name}={wrong[0]!r} is neither an e-mail address nor an https:// address.")
        return found

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

    def mailer(self, name: str, *, console: bool = False) -> dict[str, Any]:
        """Django's mailer for an address such as `smtp+tls://user:password@host:587`.

        Without one, mail is printed where there is a developer's console and otherwise dropped: a log is read by more
        people than may have the links in it.
        """
        value = self.text(name)
        if value in {"", "consolemail://"}:
            return {"BACKEND": "accounts.mail.ReadableConsoleBackend" if console else NOWHERE}
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
            "timeout": MAIL_TIMEOUT_SECONDS,
        }
        return {
            "BACKEND": "accounts.mail.OutboxBackend",
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


def contents(file: Path, advice: str) -> str | None:
    """The text of a file; None when it does not exist. Raises `ImproperlyConfigured` with a sentence and the advice."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImproperlyConfigured(f"{file} cannot be read ({error.strerror}). {advice}") from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{file} is not text in UTF-8. {advice}") from None
