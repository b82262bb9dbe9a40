"""allauth's adapter: who may sign up, how often one may guess, when a password is asked again."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse

from accounts import confirming, mail
from accounts.allauth_inside import CountedAttempts
from accounts.models import User

PROGRAMS = "/api/"
VERIFICATION = "allauth.account.stages.EmailVerificationStage"
VERIFICATION_AT_SIGN_UP = "accounts.stages.VerificationAtSignUp"
WRONG = "The e-mail address or the password is wrong."
TOO_MANY = "Too many wrong passwords from your network. Wait five minutes"
BY_MAIL = ", or sign in with a code that is sent to you."
NOT_YET = " If you have just signed up, follow the link in your mail first."


class AccountAdapter(CountedAttempts):
    """allauth's behaviour, with sign-up controlled by `SIGNUP_OPEN`."""

    @property
    def error_messages(self) -> dict[str, Any]:
        """Messages for errors of forms, which do not reveal who has an account."""
        said: dict[str, Any] = dict(CountedAttempts.error_messages)
        said["email_password_mismatch"] = f"{WRONG}{NOT_YET if settings.VERIFY_EMAIL else ''}"
        said["too_many_login_attempts"] = f"{TOO_MANY}{BY_MAIL if mail.works() else '.'}"
        return said

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether a stranger may create an account."""
        return bool(settings.SIGNUP_OPEN)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:  # noqa: FBT001, FBT002 (allauth's signature)
        """Store a new account.

        Where the address must be verified first, the password does not work yet: it would reveal whether the account
        had existed before.
        """
        user.awaits_verification = settings.VERIFY_EMAIL
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Whether the address may be removed: one that was to replace the account's own, not that one."""
        return bool(email_address.email != email_address.user.email)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Make the address the account's own, unless another account has it by now."""
        if User.objects.filter(email=email_address.email).exclude(pk=email_address.user_id).exists():
            messages.error(request, "This address can no longer be used. Choose another one.")
            return False
        # Read before the change ends the session: a person who follows the link in that browser stays signed in.
        bool(request.user)
        return bool(super().confirm_email(request, email_address))

    def get_login_stages(self) -> list[str]:
        """The steps of a sign-in, in order."""
        return [VERIFICATION_AT_SIGN_UP if stage == VERIFICATION else stage for stage in super().get_login_stages()]

    def get_reauthentication_methods(self, user: User) -> list[dict[str, str]]:
        """How the person can confirm their identity again; without a password, by signing in again."""
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        again = {"id": "again", "description": "Sign in again", "url": reverse("sign-in-again")}
        return methods or ([again] if user.is_authenticated else [])

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether the password must be entered before a sensitive action: not shortly after a sign-in."""
        return not confirming.is_recent(self.request, confirming.ACCOUNT_SECONDS)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the attempt; a correct password subtracts it again. Programs have separate counts."""
        action = "token_failed" if request.path_info.startswith(PROGRAMS) else "login_failed"
        # By network address and account: guesses from elsewhere do not lock the owner out.
        near = (action, self.attempt_key(request, **credentials))
        anywhere = (f"{action}_anywhere", self.account_key(request, **credentials))
        self.count_attempt(request, (near, anywhere))
