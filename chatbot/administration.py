"""The admin's front page shows the dashboard to those who may see it."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from conversations.pages.dashboard import dashboard_context

MAY_SEE = "conversations.view_usage"


class Site(AdminSite):
    """The admin."""

    index_template = "admin/front.html"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The front page: the dashboard, then what can be administered."""
        context = dict(extra_context or {})
        if request.user.has_perm(MAY_SEE):
            context["usage"] = dashboard_context(request.GET.get("period", ""))
        return super().index(request, context)
