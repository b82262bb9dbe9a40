"""Times in words."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEK = 7 * DAY


@register.simple_tag
def time_ago(time: datetime) -> SafeString:
    """A moment as an element: how long ago, with the day and the minute, in the reader's time zone, for who asks."""
    local = timezone.localtime(time)
    day = f"{local.day} {local:%B %Y, %H:%M}"
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', local.isoformat(), day, ago(local))


def ago(time: datetime, now: datetime | None = None) -> str:
    """How long ago that was, `2 min ago`; the day, in the reader's time zone, when it was a week ago or more.

    `static/js/times.js` says the same while the page is open.
    """
    past = (now or timezone.now()) - time
    if past < MINUTE:
        return "just now"
    if past < HOUR:
        return f"{past // MINUTE} min ago"
    if past < DAY:
        return f"{past // HOUR} h ago"
    if past < WEEK:
        days = past // DAY
        return "1 day ago" if days == 1 else f"{days} days ago"
    return date_format(timezone.localtime(time), "j M Y")
