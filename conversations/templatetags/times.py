"""Template filters for times in words."""

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
    """HTML of a time: how long ago, with the day and the minute, in the reader's time zone, on hover."""
    local = timezone.localtime(time)
    day = f"{local.day} {local:%B %Y, %H:%M}"
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', local.isoformat(), day, ago(local))


def ago(time: datetime, now: datetime | None = None) -> str:
    """How long ago that was, `2 min ago`; from a week on the day, in the reader's time zone.

    `static/js/times.js` keeps this text up to date while the page is open.
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
