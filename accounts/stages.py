"""The steps of a sign-in between the password and the first page.

Apart from the adapter, which the checks at the start import in any order: allauth's stages come late.
"""

from typing import Any

from allauth.account import utils  # noqa: F401 (the stages need what it loads)
from allauth.account.stages import EmailVerificationStage


class VerificationAtSignUp(EmailVerificationStage):  # type: ignore[misc] # allauth has no types
    """The link in the mail, for those who have just signed up. Whoever could sign in before still can."""

    def handle(self) -> tuple[Any, bool]:
        """The page that says where the link is, or the next step."""
        if not self.login.signup:
            return None, True
        step: tuple[Any, bool] = super().handle()
        return step
