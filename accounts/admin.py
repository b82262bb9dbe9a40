"""Accounts and e-mail addresses in the admin."""

from typing import Any

from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from accounts.models import User

TAKEN = "This address belongs to another person's account."

admin.site.unregister(EmailAddress)


class OwnAddress(forms.ModelForm):  # type: ignore[type-arg] # not subscriptable at run time
    """A form with an address that no other person may have, in either table."""

    def clean(self) -> dict[str, Any]:
        """Refuse an address that belongs to another person."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        person = self.instance if isinstance(self.instance, User) else cleaned.get("user")
        key: Any = getattr(person, "pk", None)
        email = str(cleaned.get("email", "")).lower()
        accounts = User.objects.filter(email=email).exclude(pk=key)
        addresses = EmailAddress.objects.filter(email=email).exclude(user=key)
        if email and (accounts.exists() or addresses.exists()):
            self.add_error("email", TAKEN)
        return cleaned


class PersonForm(OwnAddress, UserChangeForm):  # type: ignore[type-arg] # not subscriptable at run time
    """Django's form of an account, which refuses others' addresses."""


class NewPersonForm(OwnAddress, AdminUserCreationForm):  # type: ignore[type-arg] # not subscriptable at run time
    """Django's form of a new account, which refuses others' addresses."""


@admin.register(EmailAddress)
class AddressAdmin(EmailAddressAdmin):  # type: ignore[misc] # allauth has no types
    """Admin of e-mail addresses, each of one person only."""

    form = OwnAddress
    show_full_result_count = False


class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Accounts, by e-mail. Registered by whoever knows what else hangs from a person."""

    form, add_form = PersonForm, NewPersonForm

    ordering = ("email",)
    list_display = ("email", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email",)
    show_full_result_count = False
    readonly_fields = ("date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
