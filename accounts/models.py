"""The person who signs in, and the programs that act for them."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg] # not subscriptable at run time
    """An e-mail address without regard to case: stored and looked up in lower case."""

    def get_prep_value(self, value: Any) -> Any:
        """The value as the database has it."""
        value = super().get_prep_value(value)
        return value.lower() if isinstance(value, str) else value


class UserManager(BaseUserManager["User"]):
    """Makes people; finds them by e-mail, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """The person with this e-mail address. Raises `User.DoesNotExist`."""
        return self.get(email=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a new person. Raises `ValueError` without an e-mail address."""
        if not email:
            raise ValueError("A person needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a new person who may do everything."""
        return self.create_user(email, password, **(fields | {"is_staff": True, "is_superuser": True}))


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody with an account. Signs in with e-mail and password; has no other name."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = LowercaseEmailField("e-mail address", max_length=254, unique=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May open the admin.")
    is_active = models.BooleanField("active", default=True, help_text="May sign in.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case")
        ]

    def __str__(self) -> str:
        return str(self.email)


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Personal access tokens of one person."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """Only this person's; none for somebody who is not signed in."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def newest_first(self) -> Self:
        """The one that was made last first."""
        return self.order_by("-created_at", "-id")


class AccessToken(models.Model):
    """What a person gives to a program that is to act for them. The token itself is not kept, only its digest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100, help_text="What it is for.")
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the token.")
    beginning = models.CharField(max_length=16, editable=False, help_text="Its first characters, to know it by.")
    is_read_only = models.BooleanField("read only", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    window_began_at = models.DateTimeField(default=timezone.now, editable=False, help_text="Requests count from here.")
    requests = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar = AccessTokenQuerySet.as_manager()

    class Meta:
        # Not `unique=True`, which would make a second index, for patterns.
        constraints: ClassVar = [models.UniqueConstraint(fields=("digest",), name="access_token_digest")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()


class RequestWindow(models.Model):
    """How many requests a person's other tokens, which are kept nowhere, have made since `began_at`."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.requests} requests since {self.began_at}"
