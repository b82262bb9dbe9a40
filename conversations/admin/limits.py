"""Usage limits in the admin, and how much people have used."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Case, F, Q, QuerySet, When
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from accounts.readings import staff
from conversations.admin.people import PersonAdmin
from conversations.models import Period, TurnWindow, UsageLimit
from conversations.usage import limits
from conversations.usage.limits import usage_in_words

WHICH_HOLDS = (
    "For the day and for the month one level applies: the person's own limit; otherwise the limits of their groups, of "
    "several the highest number; otherwise the limit for everybody. Staff and superusers have limits too. "
    "Days and months are in the site's time zone, {zone}."
)


@admin.register(UsageLimit)
class UsageLimitAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Admin of usage limits, with the usage of a person's own limits."""

    list_display = ("target", "period", "messages", "tokens", "used")
    list_filter = ("period", ("group", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("group", "user__turn_window")
    search_fields = ("user__email", "group__name")
    autocomplete_fields = ("user", "group")
    readonly_fields = ("used",)
    ordering = ("-user_id", "-group_id", "period")

    def get_fieldsets(self, request: HttpRequest, obj: UsageLimit | None = None) -> Any:
        """Fields for the target, with a text on which limit counts, and for the numbers."""
        zone = settings.TIME_ZONE
        target = {"fields": ("user", "group"), "description": WHICH_HOLDS.format(zone=zone)}
        used = ("used",) if obj else ()
        return [(None, target), ("Limit", {"fields": ("period", "messages", "tokens", *used)})]

    @admin.display
    def used(self, limit: UsageLimit) -> str:
        """What the person has used in the limit's period."""
        return (
            usage_in_words(TurnWindow.usage_of(limit.user), Period(limit.period))
            if limit.user
            else "counted per person"
        )


@admin.register(TurnWindow)
class UseAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Admin of the people who used something this month."""

    list_display = ("user", "messages", "tokens", "today")
    list_select_related = ("user",)
    list_filter = (("user__groups", admin.RelatedOnlyFieldListFilter),)
    search_fields = ("user__email",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TurnWindow]:
        """People with messages or tokens of this month; a reply may end in a later month than that of its request."""
        first = timezone.localdate(timezone=timezone.get_default_timezone()).replace(day=1)
        found: QuerySet[TurnWindow] = super().get_queryset(request)
        return found.filter(Q(messages_on__gte=first) | Q(tokens_on__gte=first)).annotate(
            messages_now=Case(When(messages_on__gte=first, then="month_messages"), default=0),
            tokens_now=Case(When(tokens_on__gte=first, then="month_tokens"), default=0),
        )

    def get_ordering(self, request: HttpRequest) -> Any:
        """By tokens of this month, most first."""
        return (F("tokens_now").desc(), "user")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """False: usage is counted, never added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: usage is counted, never changed by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False: counted usage is never removed by hand."""
        return False

    @admin.display(ordering="messages_now", description="messages this month")
    def messages(self, window: TurnWindow) -> str:
        """Number of messages sent this month."""
        return f"{window.usage.month_messages:,}"

    @admin.display(ordering="tokens_now", description="tokens this month")
    def tokens(self, window: TurnWindow) -> str:
        """Number of tokens used this month."""
        return f"{window.usage.month_tokens:,}"

    @admin.display
    def today(self, window: TurnWindow) -> str:
        """Messages and tokens of today, in words."""
        return usage_in_words(window.usage, Period.DAY)


class OnePerPeriod(BaseInlineFormSet):  # type: ignore[type-arg] # not subscriptable at run time
    """The limits of one person or one group, checked together."""

    def clean(self) -> None:
        """Refuse a second limit for the same period. Raises `ValidationError`."""
        kept = [form for form in self.forms if form not in self.deleted_forms]
        periods = [form.cleaned_data["period"] for form in kept if "period" in getattr(form, "cleaned_data", {})]
        if len(set(periods)) < len(periods):
            raise ValidationError("There can be only one limit per day and one per month.", code="unique")


class UsageLimitInline(admin.TabularInline):  # type: ignore[type-arg] # not subscriptable at run time
    """Limits on the admin page of a person or a group."""

    model = UsageLimit
    formset = OnePerPeriod
    fields = ("period", "messages", "tokens")
    extra = 0
    max_num = len(Period)


admin.site.unregister(Group)


@admin.register(User)
class LimitedPersonAdmin(PersonAdmin):
    """Admin of accounts, each with its limits and its usage."""

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """The limits' form, for an account that exists."""
        return [*super().get_inlines(request, obj), *([UsageLimitInline] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """The read-only fields of accounts, and `used`."""
        return (*super().get_readonly_fields(request, obj), "used")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """The account's fields and, for an account that exists, its usage."""
        fieldsets = super().get_fieldsets(request, obj)
        return (*fieldsets, ("Usage", {"fields": ("used",)})) if obj else fieldsets

    @admin.display
    def used(self, person: User) -> SafeString:
        """Usage of each limit that holds for the person, from whichever level, and of periods without a limit."""
        usage = TurnWindow.usage_of(person)
        lines = [usage_in_words(usage, period) for period in Period]
        standings = limits.standings(usage, limits.limits_of(person))
        lines += [f"Limit: {standing.sentence}" for standing in standings]
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


@admin.register(Group)
class LimitedGroupAdmin(GroupAdmin):
    """Admin of groups with the limits of their members. Only a superuser changes a group's permissions."""

    inlines = (UsageLimitInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        """The permissions, for everybody but superusers."""
        fixed = () if staff(request).is_superuser else ("permissions",)
        return (*super().get_readonly_fields(request, obj), *fixed)
