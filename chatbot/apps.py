"""The admin as this site has it."""

from django.contrib.admin.apps import AdminConfig


class Administration(AdminConfig):
    """Django's admin with the site's own front page."""

    default_site = "chatbot.administration.Site"
