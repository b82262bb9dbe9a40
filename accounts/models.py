"""The person who signs in, and the programs that act for them."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager, PermissionsMixin
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from uuid_utils.compat import uuid7

from accounts import notices
from chatbot.core import sql

CREDENTIALS = frozenset({"password", "email", "is_active", "stamp"})
"""Columns of a person whose change ends what has been signed in (migration 0004)."""


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg] # not subscriptable at run time
    """An e-mail address without regard to case: stored and looked up in lower case."""

    def get_prep_value(self, value: Any) -> Any:
        """The value as the database has it."""
        value = super().get_prep_value(value)
        return value.lower() if isinstance(value, str) else value


class UserQuerySet(models.QuerySet["User"]):
    """People."""

    def update(self, **values: Any) -> int:
        """Change their columns; they are told what has ended with it."""
        changed = super().update(**values)
        if CREDENTIALS & values.keys():
            notices.soon()
        return changed


class UserManager(BaseUserManager["User"]):
    """Makes people; finds them by e-mail, whatever its case."""

    def get_queryset(self) -> UserQuerySet:
        """All of them."""
        return UserQuerySet(self.model, using=self._db)

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
    awaits_verification = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Signed up, and has not followed the link yet."
    )
    # Sessions and tokens carry the stamp with which they were made. A trigger moves it on with every change of password
    # or address and when the account is closed (migration 0004), so that no code can forget to.
    stamp = models.IntegerField(default=0, db_default=0, editable=False)
    stamped_at = models.DateTimeField(null=True, editable=False)

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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the person. What has been signed in ends where that changes password, address or activity."""
        is_new, names, stamp = self._state.adding, kwargs.get("update_fields"), self.stamp
        super().save(*args, **kwargs)
        if not is_new and (names is None or CREDENTIALS & set(names)):
            self.refresh_from_db(fields=("stamp", "stamped_at"))
            if self.stamp != stamp:
                notices.soon()

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password. One that is kept in an old way is kept in the new one, and nothing ends."""

        def keep(password: str) -> None:
            self.password = make_password(password)
            with transaction.atomic():
                sql.run("SELECT set_config('accounts.same_password', 'on', true)")
                self.save(update_fields=("password",))
                sql.run("SELECT set_config('accounts.same_password', '', true)")

        return check_password(raw_password, self.password, keep)

    def get_session_auth_hash(self) -> str:
        """What a session carries to show that nothing has ended it."""
        return self._session_hash()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """What it may carry too: signed with earlier secrets, or by the password, as before there were stamps."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)
        if not self.stamp:
            yield super().get_session_auth_hash()
            yield from super().get_session_auth_fallback_hash()

    def _session_hash(self, secret: str | bytes | None = None) -> str:
        return salted_hmac("accounts.session", f"{self.pk}:{self.stamp}", secret=secret, algorithm="sha256").hexdigest()


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
    stamp = models.IntegerField(default=0, db_default=0, editable=False)
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

    @property
    def is_ended(self) -> bool:
        """Whether something has ended it: its person's password or address has changed. May read the person."""
        return self.stamp != self.user.stamp


class RefreshToken(models.Model):
    """A program that has signed in with a password: the refresh tokens that came of it, of which the newest is good."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="refresh_tokens")
    newest = models.CharField(max_length=32, help_text="The name of the one that is good.")
    stamp = models.PositiveIntegerField()
    agent = models.CharField(max_length=200, help_text="What the program calls itself.")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.agent


class BrowserSession(AbstractBaseSession):
    """Django's row of a session, and whose it is."""

    user_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "django_session"

    @classmethod
    def get_session_store_class(cls) -> Any:
        """What reads and writes it."""
        return import_module(settings.SESSION_ENGINE).SessionStore


class Ending(models.Model):
    """What a change of password, address or activity has ended, until the person is told. Written by the database."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DB_CASCADE, related_name="+")
    changed = models.CharField(max_length=20)
    at = models.DateTimeField()
    old_email = models.EmailField(max_length=254)
    browsers = models.PositiveIntegerField()
    programs = models.PositiveIntegerField()
    tokens = models.JSONField()

    def __str__(self) -> str:
        return f"{self.changed} at {self.at}"


class RequestWindow(models.Model):
    """How many requests a person's other tokens, which are kept nowhere, have made since `began_at`."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.requests} requests since {self.began_at}"
