"""The view on a person's feedback."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from accounts.requests import PersonRequest
from conversations.actions import feedback
from conversations.errors.gone import ConversationGone
from conversations.forms.messages import FeedbackForm, is_utf8
from conversations.views.answers import refuse
from conversations.views.requests import find_reply


class MessageFeedbackView(View):
    """A person's rating of an answer, with a comment."""

    def post(self, request: PersonRequest, pk: UUID) -> HttpResponse:
        """Store the feedback; without a rating, remove it."""
        message = find_reply(request, pk)
        form = FeedbackForm(request.POST)
        if not form.is_valid() or not is_utf8(request):
            return refuse(request, form.sentence, 422, message.conversation)
        kept, is_saved = None, "comment" in request.POST
        try:
            if rating := form.cleaned_data["rating"]:
                comment = form.cleaned_data["comment"] if is_saved else None
                kept = feedback.rate(message, rating=rating, comment=comment)
            else:
                feedback.take_back(message)
        except ConversationGone as error:
            raise Http404 from error
        if not request.htmx:
            return redirect(f"{message.conversation.get_absolute_url()}?at={pk}#m-{pk}")
        context = {"message": message, "feedback": kept, "is_asked": not is_saved, "is_saved": is_saved}
        return render(request, "conversations/messages/_feedback.html", context)
