"""Steps of a sign-in between the password and the first page.

Separate from the adapter, which the checks at the start import in any order: allauth's stages must be imported late.
"""

from typing import Any

from allauth.account import utils  # noqa: F401 (the stages need what it loads)
from allauth.account.stages import EmailVerificationStage


class VerificationAtSignUp(EmailVerificationStage):  # type: ignore[misc] # allauth has no types
    """The verification by mail, for people who have just signed up; existing accounts skip it."""

    def handle(self) -> tuple[Any, bool]:
        """The page that mentions the mail with the link, or the next step."""
        if not self.login.signup:
            return None, True
        step: tuple[Any, bool] = super().handle()
        return step
