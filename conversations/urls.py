"""Addresses of the chat: nouns; an action is a POST to a sub-path."""

from django.urls import path

from conversations import views

urlpatterns = [
    path("", views.ConversationNewView.as_view(), name="conversation-new"),
    path("c/<uuid:pk>/", views.ConversationDetailView.as_view(), name="conversation-detail"),
    path("c/<uuid:pk>/rename/", views.ConversationRenameView.as_view(), name="conversation-rename"),
    path("c/<uuid:pk>/delete/", views.ConversationDeleteView.as_view(), name="conversation-delete"),
    path("messages/<uuid:pk>/stream/", views.MessageStreamView.as_view(), name="message-stream"),
    path("messages/<uuid:pk>/stop/", views.MessageStopView.as_view(), name="message-stop"),
    path("messages/<uuid:pk>/retry/", views.MessageRetryView.as_view(), name="message-retry"),
    path("preferences/", views.PreferencesView.as_view(), name="preferences"),
]
