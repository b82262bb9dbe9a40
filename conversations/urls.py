"""Addresses of the chat: nouns; an action is a POST to a sub-path."""

from django.urls import path

from conversations.views import (
    approvals,
    branches,
    configurations,
    conversations,
    exports,
    feedback,
    imports,
    lists,
    messages,
    organizing,
    preferences,
    presets,
    search,
    usage,
)

urlpatterns = [
    path("", conversations.ConversationNewView.as_view(), name="conversation-new"),
    path("c/<uuid:pk>/", conversations.ConversationDetailView.as_view(), name="conversation-detail"),
    path("c/<uuid:pk>/model/", configurations.ConversationModelView.as_view(), name="conversation-model"),
    path("c/<uuid:pk>/settings/", configurations.ConversationSettingsView.as_view(), name="conversation-settings"),
    path("c/<uuid:pk>/rename/", conversations.ConversationRenameView.as_view(), name="conversation-rename"),
    path("c/<uuid:pk>/export/", exports.ConversationExportView.as_view(), name="conversation-export"),
    path("export/", exports.ConversationsExportView.as_view(), name="conversations-export"),
    *(
        path(f"c/<uuid:pk>/{name}/", organizing.OrganizeView.as_view(name=name), name=f"conversation-{name}")
        for name in organizing.VERBS
    ),
    *(
        path(f"conversations/{name}/", organizing.OrganizeView.as_view(name=name), name=f"conversations-{name}")
        for name in organizing.VERBS
    ),
    path("conversations/", lists.ListingView.as_view(name="conversations"), name="conversations"),
    path("archive/", lists.ListingView.as_view(name="archive"), name="archive"),
    path("trash/", lists.ListingView.as_view(name="trash"), name="trash"),
    path("approvals/", approvals.ApprovalsView.as_view(), name="approvals"),
    path("tool-calls/<uuid:pk>/decide/", approvals.ToolCallDecideView.as_view(), name="tool-call-decide"),
    path("messages/<uuid:pk>/decide/", approvals.MessageDecideView.as_view(), name="message-decide"),
    path("search/", search.SearchView.as_view(), name="search"),
    path("trash/empty/", organizing.TrashEmptyView.as_view(), name="trash-empty"),
    path("import/", imports.ConversationsImportView.as_view(), name="conversations-import"),
    path("messages/<uuid:pk>/", branches.MessageDetailView.as_view(), name="message-detail"),
    path("messages/<uuid:pk>/edit/", branches.MessageEditView.as_view(), name="message-edit"),
    path("messages/<uuid:pk>/regenerate/", branches.MessageRegenerateView.as_view(), name="message-regenerate"),
    path("messages/<uuid:pk>/choose/", branches.MessageChooseView.as_view(), name="message-choose"),
    path("messages/<uuid:pk>/stream/", messages.MessageStreamView.as_view(), name="message-stream"),
    path("messages/<uuid:pk>/stop/", messages.MessageStopView.as_view(), name="message-stop"),
    path("messages/<uuid:pk>/retry/", messages.MessageRetryView.as_view(), name="message-retry"),
    path("messages/<uuid:pk>/continue/", messages.MessageContinueView.as_view(), name="message-continue"),
    path("messages/<uuid:pk>/feedback/", feedback.MessageFeedbackView.as_view(), name="message-feedback"),
    path("messages/<uuid:pk>/part/", messages.MessagePartView.as_view(), name="message-part"),
    path("messages/<uuid:pk>/markdown/", messages.MessageMarkdownView.as_view(), name="message-markdown"),
    path("presets/", presets.PresetListView.as_view(), name="preset-list"),
    path("presets/new/", presets.PresetNewView.as_view(), name="preset-new"),
    path("presets/<uuid:pk>/", presets.PresetDetailView.as_view(), name="preset-detail"),
    path("presets/<uuid:pk>/delete/", presets.PresetDeleteView.as_view(), name="preset-delete"),
    path("usage/", usage.UsageView.as_view(), name="usage"),
    path("preferences/", preferences.PreferencesView.as_view(), name="preferences"),
]
