"""The admin site: its front page shows the dashboard to staff who may see it, and all its pages are guarded."""

from functools import wraps
from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts import confirming
from accounts.guarded_admin import guarded
from conversations.pages.dashboard import dashboard_context

MAY_SEE = "conversations.view_usage"


class Site(AdminSite):
    """The admin site with the dashboard and its guards."""

    index_template = "admin/front.html"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        """The page, for staff who signed in or entered their password within the last hour."""
        page = super().admin_view(view, cacheable)

        @wraps(page)
        def confirmed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if self.has_permission(request) and not confirming.is_recent(request, confirming.ADMIN_SECONDS):
                raise ReauthenticationRequired
            return page(request, *args, **kwargs)

        return confirmed

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register a model with this class of pages, or Django's; pages of other packages are guarded too."""
        super().register(model_or_iterable, guarded(admin_class or ModelAdmin), **options)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The front page: the dashboard, then the models."""
        context = dict(extra_context or {})
        if request.user.has_perm(MAY_SEE):
            context["usage"] = dashboard_context(request.GET.get("period", ""))
        return super().index(request, context)
