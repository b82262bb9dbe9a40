"""People who sign in, and the tokens and sessions with which they do."""

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
"""Columns of a person whose change ends sessions and tokens (migration 0004)."""


class LowercaseEmailField(models.EmailField):  # type: ignore[type-arg] # not subscriptable at run time
    """A case-insensitive e-mail address: stored and looked up in lower case."""

    def get_prep_value(self, value: Any) -> Any:
        """The value in lower case, as the database stores it."""
        value = super().get_prep_value(value)
        return value.lower() if isinstance(value, str) else value


class UserQuerySet(models.QuerySet["User"]):
    """Querysets of people, that is of accounts."""

    def update(self, **values: Any) -> int:
        """Update columns; people get a mail about sessions and tokens that ended."""
        changed = super().update(**values)
        if CREDENTIALS & values.keys():
            notices.soon()
        return changed


class UserManager(BaseUserManager["User"]):
    """Creates people, and finds them by e-mail address regardless of case."""

    def get_queryset(self) -> UserQuerySet:
        """A queryset of all people."""
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
        """Store a new person with all permissions. Raises `ValueError` without an e-mail address."""
        return self.create_user(email, password, **(fields | {"is_staff": True, "is_superuser": True}))


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account, who signs in with e-mail and password and has no other name."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = LowercaseEmailField("e-mail address", max_length=254, unique=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May open the admin.")
    is_active = models.BooleanField("active", default=True, help_text="May sign in.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    awaits_verification = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Signed up, and has not followed the link yet."
    )
    # Sessions and tokens carry the stamp that was current when they were made. A trigger increases it with every change
    # of password or address and when the account is closed (migration 0004), so that no code can forget to.
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
        """Store the person. A change of password, address or activity ends sessions and tokens."""
        is_new, names, stamp = self._state.adding, kwargs.get("update_fields"), self.stamp
        super().save(*args, **kwargs)
        if not is_new and (names is None or CREDENTIALS & set(names)):
            self.refresh_from_db(fields=("stamp", "stamped_at"))
            if self.stamp != stamp:
                notices.soon()

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password. One stored with an outdated hash is stored anew, which ends no sessions."""

        def keep(password: str) -> None:
            self.password = make_password(password)
            with transaction.atomic():
                sql.run("SELECT set_config('accounts.same_password', 'on', true)")
                self.save(update_fields=("password",))
                sql.run("SELECT set_config('accounts.same_password', '', true)")

        return check_password(raw_password, self.password, keep)

    def get_session_auth_hash(self) -> str:
        """Hash in a session that proves that nothing has ended it."""
        return self._session_hash()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """Further valid hashes: signed with earlier secrets, or by the password, as before stamps existed."""
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)
        if not self.stamp:
            yield super().get_session_auth_hash()
            yield from super().get_session_auth_fallback_hash()

    def _session_hash(self, secret: str | bytes | None = None) -> str:
        return salted_hmac("accounts.session", f"{self.pk}:{self.stamp}", secret=secret, algorithm="sha256").hexdigest()


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    """Querysets of personal access tokens."""

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """This person's tokens; none for an anonymous user."""
        return self.filter(user_id=user.pk) if user.pk else self.none()

    def newest_first(self) -> Self:
        """By time of creation, latest first."""
        return self.order_by("-created_at", "-id")


class AccessToken(models.Model):
    """A personal access token for a program; only the hash of its text is stored."""

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
        """Whether the token has expired."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_ended(self) -> bool:
        """Whether a changed password or address has ended the token. Causes a query unless the person was read."""
        return self.stamp != self.user.stamp


class RefreshToken(models.Model):
    """A program signed in with a password; the newest of its refresh tokens is the valid one."""

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
    """Django's row of a session, with its person."""

    user_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "django_session"

    @classmethod
    def get_session_store_class(cls) -> Any:
        """The class that reads and writes sessions."""
        return import_module(settings.SESSION_ENGINE).SessionStore


class Ending(models.Model):
    """Sessions and tokens ended by a change of the account, until the person gets a mail; written by the database."""

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
    """Number of requests with a person's tokens that are not stored, since `began_at`."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.DB_CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.requests} requests since {self.began_at}"
