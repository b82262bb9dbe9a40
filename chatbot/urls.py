"""The site's URL patterns, of all apps and the admin."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from chatbot.web.probe import ProbeView
from chatbot.web.views import HealthView, ReadyView, SecurityView

# The admin uses the site's sign-in, with its limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("conversations.urls")),
    path("", include("chatbot.api")),
    path("", include("tasks.urls")),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("healthz", HealthView.as_view(), name="health"),
    path("readyz", ReadyView.as_view(), name="ready"),
    path(".well-known/security.txt", SecurityView.as_view(), name="security"),
    path("probe", ProbeView.as_view(), name="probe"),
]
handler400 = "chatbot.web.error_pages.bad_request"
handler404 = "chatbot.web.error_pages.not_found"
handler500 = "chatbot.web.error_pages.server_error"
