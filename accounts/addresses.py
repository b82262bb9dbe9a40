"""A person's e-mail address: whether it is verified, and where that is required."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Exists, OuterRef

from accounts.models import User


def is_verified(user: User) -> bool:
    """Whether the person has followed a link that was sent to the address. Causes a query."""
    return bool(EmailAddress.objects.filter(user_id=user.pk, email=user.email, verified=True).exists())


def has_to_verify(user: User) -> bool:
    """Whether the address must be verified before the person makes tokens or imports. May cause a query."""
    return bool(settings.VERIFY_EMAIL) and not is_verified(user)


def verify(user: User) -> None:
    """Record that the person has read mail sent to the address."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True}, create_defaults={"verified": True, "primary": True}
    )
    User.objects.filter(pk=user.pk, awaits_verification=True).update(awaits_verification=False)


def owner(email: str) -> User | None:
    """The active person with this verified address, or None. Causes a query.

    An unverified address could have been registered by somebody else before its owner came.
    """
    people = User.objects.filter(email=email, is_active=True, awaits_verification=False)
    if settings.VERIFY_EMAIL:
        kept = EmailAddress.objects.filter(user_id=OuterRef("pk"), email=OuterRef("email"), verified=True)
        people = people.filter(Exists(kept))
    return people.first()
