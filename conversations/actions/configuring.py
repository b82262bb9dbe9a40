"""Actions on a conversation's configuration and on presets; each is a verb and one transaction."""

from django.db import IntegrityError, transaction

from accounts.models import User
from chatbot.core.errors import UserFacingError
from conversations.actions.reopening import RETRYABLE
from conversations.errors.gone import ConversationGone
from conversations.llm import model_choices
from conversations.models import Configuration, Conversation, Generation, Preset

PRESETS_MAX = 100
"""Most presets of one person, because one page shows all of them."""


class PresetNameTaken(UserFacingError):
    """You have a preset with this name already. Choose another name."""

    code = "preset_name_taken"
    http_status = 409


class TooManyPresets(UserFacingError):
    """You have reached the limit of {limit} presets. Delete one, then save this one."""

    code = "too_many_presets"
    http_status = 409


def choose_model(conversation: Conversation, *, model: str) -> None:
    """Set the model for future answers; the site's default when `model` is empty. Raises `ConversationGone`."""
    configure(conversation, conversation.configuration._replace(model=model))


@transaction.atomic
def configure(conversation: Conversation, configuration: Configuration) -> None:
    """Set the configuration for future answers. Raises `ConversationGone`."""
    if not Conversation.objects.filter(pk=conversation.pk, trashed_at=None).update(**configuration._asdict()):
        raise ConversationGone
    if configuration.model != conversation.model:
        # A retry of the last reply then asks the new model, unless another model was chosen for it.
        before = {conversation.model, model_choices.default_name()}
        last = Generation.objects.filter(pk=conversation.current_message_id, status__in=RETRYABLE, model__in=before)
        last.update(model="")
    for name, value in configuration._asdict().items():
        setattr(conversation, name, value)


def add_preset(user: User, *, name: str, configuration: Configuration) -> Preset:
    """Store a configuration under a name. Raises `PresetNameTaken`, `TooManyPresets`."""
    if Preset.objects.owned_by(user).count() >= PRESETS_MAX:
        raise TooManyPresets(limit=PRESETS_MAX)
    preset = Preset(user=user, name=name, **configuration._asdict())
    _store(preset)
    return preset


def change_preset(preset: Preset, *, name: str, configuration: Configuration) -> None:
    """Change a preset's name and configuration; chats that copied it are unchanged. Raises `PresetNameTaken`."""
    preset.name = name
    for field, value in configuration._asdict().items():
        setattr(preset, field, value)
    _store(preset, update_fields=("name", *configuration._fields))


def delete_preset(preset: Preset) -> None:
    """Delete a preset; chats that copied it are unchanged."""
    preset.delete()


def _store(preset: Preset, update_fields: tuple[str, ...] | None = None) -> None:
    try:
        with transaction.atomic():
            preset.save(update_fields=update_fields)
    except IntegrityError as error:
        raise PresetNameTaken from error
