"""Forms for a person's account."""

from datetime import datetime, timedelta
from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import allauth_inside
from accounts.models import User

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year", "": "Forever"}
"""Days for which a token is valid -> label in the form."""


class AccessTokenForm(forms.Form):
    """Form for a new personal access token."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        widget=forms.TextInput({"placeholder": "Nightly report", "autocomplete": "off", "dir": "auto"}),
    )
    lifetime = forms.ChoiceField(label="Valid for", choices=list(LIFETIMES.items()), initial="90", required=False)
    is_read_only = forms.BooleanField(label="Read-only", required=False)

    def expires_at(self) -> datetime | None:
        """Time at which the token expires; None for never."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class SignUpForm(allauth_forms.SignupForm):  # type: ignore[misc] # allauth has no types
    """Form for a new account. Where mail can be sent, it does not reveal whether the account exists."""

    def validate_unique_email(self, value: str) -> str:
        """Note whether an account has the address. Raises ValidationError where addresses are not verified."""
        self.account_already_exists = User.objects.filter(email=value).exists()
        if self.account_already_exists and not settings.VERIFY_EMAIL:
            raise get_adapter().validation_error("email_taken")
        return value

    def try_save(self, request: HttpRequest) -> Any:
        """Store the account, or send its owner a mail; both take equally long."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)


class ChangeAddressForm(allauth_forms.AddEmailForm):  # type: ignore[misc] # allauth has no types
    """Form for another address of the account."""

    def save(self, request: HttpRequest) -> EmailAddress:
        """Store the address in place of an earlier request, and send a link to it."""
        with transaction.atomic():
            EmailAddress.objects.filter(user=self.user).exclude(email=self.user.email).delete()
            address = EmailAddress.objects.create(user=self.user, email=self.cleaned_data["email"])
        address.send_confirmation(request)
        return address


class ResetForm(allauth_forms.ResetPasswordForm):  # type: ignore[misc] # allauth has no types
    """Form for a new password; finds only accounts whose own address it is."""

    def clean_email(self) -> str:
        """The address; also finds the accounts with it."""
        email: str = super().clean_email()
        self.users = list(User.objects.filter(email=email, is_active=True))
        return email


class RequestCodeForm(allauth_forms.RequestLoginCodeForm):  # type: ignore[misc] # allauth has no types
    """Form to sign in with a code sent by mail."""

    def clean_email(self) -> str:
        """The address; also finds the account with it."""
        email: str = super().clean_email()
        allauth_inside.say_whose(self, User.objects.filter(email=email, is_active=True).first())
        return email
