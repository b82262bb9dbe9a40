"""The site's addresses."""

from django.contrib import admin
from django.urls import include, path

from chatbot.views import HealthView

urlpatterns = [
    path("", include("conversations.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("healthz", HealthView.as_view(), name="health"),
]
handler500 = "chatbot.errors.server_error"
