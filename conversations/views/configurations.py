"""Views on a conversation's model, instructions and temperature."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views import View
from django_htmx.http import reswap, retarget

from accounts.requests import PersonRequest
from conversations.actions import configuring
from conversations.errors.gone import ConversationGone
from conversations.forms.configurations import NOT_TEXT, ConfigurationForm, ModelForm
from conversations.forms.messages import is_utf8
from conversations.models import Conversation
from conversations.pages.configurations import conversation_settings, picker
from conversations.views.answers import refuse
from conversations.views.presets import preset_in, typed_configuration
from conversations.views.requests import find_conversation


class ConversationModelView(View):
    """The model that answers in a conversation."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Choose the model, and show the picker."""
        conversation = find_conversation(request, pk)
        form = ModelForm(request.POST)
        if not form.is_valid() or not is_utf8(request):
            return refuse(request, form.sentence or NOT_TEXT, 422, conversation)
        try:
            configuring.choose_model(conversation, model=form.cleaned_data["model"])
        except ConversationGone as error:
            raise Http404 from error
        return changed(request, conversation)


class ConversationSettingsView(View):
    """A conversation's model, instructions and temperature."""

    def get(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Show the settings, filled from the preset in the address if there is one."""
        conversation = find_conversation(request, pk)
        chosen = preset_in(request) or conversation
        context = conversation_settings(conversation, chosen.configuration, request.user)
        return render(request, template(request), context | {"chosen": chosen})

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Store the settings, and show the picker."""
        conversation = find_conversation(request, pk)
        form = ConfigurationForm(request.POST)
        if not form.is_valid() or not is_utf8(request):
            context = conversation_settings(conversation, typed_configuration(request), request.user)
            context["notice"] = form.sentence or NOT_TEXT
            page = render(request, template(request), context, status=422)
            return reswap(retarget(page, "#settings"), "innerHTML")
        try:
            configuring.configure(conversation, form.configuration)
        except ConversationGone as error:
            raise Http404 from error
        return changed(request, conversation)


def template(request: PersonRequest) -> str:
    """Name of the template: only the form for the chat page's dialog, else the whole page."""
    return "conversations/settings/_settings.html" if request.htmx else "conversations/settings.html"


def changed(request: PersonRequest, conversation: Conversation) -> HttpResponse:
    """The response after a change: the updated picker."""
    if not request.htmx:
        return redirect(conversation)
    context = {"conversation": conversation, "is_saved": True, **picker(conversation.model)}
    return render(request, "conversations/composer/_picker.html", context)
