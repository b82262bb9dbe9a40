"""The app of the site's admin."""

from django.contrib.admin.apps import AdminConfig


class Administration(AdminConfig):
    """Django's admin with the site's own front page."""

    default_site = "chatbot.administration.Site"
