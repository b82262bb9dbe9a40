"""Mail without a mail server."""

from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend


class ReadableConsoleBackend(EmailBackend):
    """Prints mail as a person reads it: a link stays whole, where the encoded form would break it over two lines."""

    def write_message(self, message: EmailMessage) -> Any:
        """Print one mail."""
        self.stream.write(f"To: {', '.join(message.recipients())}\nSubject: {message.subject}\n\n{message.body}\n")
        self.stream.write(f"{'-' * 79}\n")
