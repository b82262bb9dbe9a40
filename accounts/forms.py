"""What a person types about their account, checked."""

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "A year", "": "For ever"}
"""Days for which a token is good, as the form offers them."""


class AccessTokenForm(forms.Form):
    """A new personal access token."""

    name = forms.CharField(
        label="What is it for?",
        max_length=100,
        widget=forms.TextInput({"placeholder": "Nightly report", "autocomplete": "off"}),
    )
    lifetime = forms.ChoiceField(label="Good for", choices=list(LIFETIMES.items()), initial="90", required=False)
    is_read_only = forms.BooleanField(label="It may only read", required=False)

    def expires_at(self) -> datetime | None:
        """When the token's time is over; None for never."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None
