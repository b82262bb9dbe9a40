"""Addresses of the chat: nouns; an action is a POST to a sub-path."""

from django.urls import path

from conversations.views import conversations, exports, messages, preferences

urlpatterns = [
    path("", conversations.ConversationNewView.as_view(), name="conversation-new"),
    path("c/<uuid:pk>/", conversations.ConversationDetailView.as_view(), name="conversation-detail"),
    path("c/<uuid:pk>/rename/", conversations.ConversationRenameView.as_view(), name="conversation-rename"),
    path("c/<uuid:pk>/delete/", conversations.ConversationDeleteView.as_view(), name="conversation-delete"),
    path("c/<uuid:pk>/export/", exports.ConversationExportView.as_view(), name="conversation-export"),
    path("export/", exports.ConversationsExportView.as_view(), name="conversations-export"),
    path("messages/<uuid:pk>/stream/", messages.MessageStreamView.as_view(), name="message-stream"),
    path("messages/<uuid:pk>/stop/", messages.MessageStopView.as_view(), name="message-stop"),
    path("messages/<uuid:pk>/retry/", messages.MessageRetryView.as_view(), name="message-retry"),
    path("preferences/", preferences.PreferencesView.as_view(), name="preferences"),
]
