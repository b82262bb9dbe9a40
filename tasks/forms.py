"""What a person types about a task, checked and in the form in which it is stored."""

from collections.abc import Callable
from typing import Any

from django import forms

from tasks.lists import Show
from tasks.texts import clean_description, clean_title


class CleanField(forms.CharField):
    """A text that a function brings into its stored form; the function's `ValueError` says why it is refused."""

    def __init__(self, clean: Callable[[str], str], **options: Any) -> None:
        super().__init__(strip=False, required=False, **options)
        self._clean_text = clean

    def to_python(self, value: Any) -> str:
        """The text in its stored form. Raises ValidationError."""
        try:
            return self._clean_text(super().to_python(value) or "")
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class DayField(forms.DateField):
    """A day as browsers send it, or none."""

    default_error_messages = {"invalid": "The due date is not a day. Choose one, such as 2027-01-31."}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(required=False, input_formats=["%Y-%m-%d"])


class TaskForm(forms.Form):
    """The fields of a task that a person types."""

    title = CleanField(clean_title)
    due = DayField()

    @property
    def sentence(self) -> str:
        """The first error's sentence; empty when the form is valid."""
        return next((str(errors[0]) for errors in self.errors.values()), "")


class NewTaskForm(TaskForm):
    """A new task, with the key that it gets, so that a repeated form adds none."""

    key = forms.UUIDField(required=False)


class TaskEditForm(TaskForm):
    """Changes to a task, with its description."""

    description = CleanField(clean_description)


class MoveForm(forms.Form):
    """Where a task goes: a step up or down in the list that the page shows, or beside another task."""

    direction = forms.ChoiceField(choices=[("up", "Up"), ("down", "Down")], required=False)
    before = forms.UUIDField(required=False)
    after = forms.UUIDField(required=False)

    def clean(self) -> dict[str, Any]:
        """Check that a place is named. Raises ValidationError."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(cleaned.values()):
            raise forms.ValidationError("A move needs a place.")
        return cleaned


def chosen_list(text: str) -> Show:
    """The list that an address names; that of open tasks when it names none of the page's."""
    return Show(text) if text in (Show.TODAY, Show.OVERDUE, Show.DONE) else Show.OPEN
