"""What every page of the admin keeps to, whichever package it comes from: who may not touch a person may not touch
what hangs from them.
"""

from dataclasses import replace
from functools import cache, wraps
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import Action, ActionLocation, BaseModelAdmin, IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError, ProgrammingError
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts import ranks

READS = {"view", "read"}
"""Permissions of actions that change nothing."""
SENSELESS = (ValueError, OverflowError, IndexError, DataError, ProgrammingError)
"""What a list raises for values that no column can have, here or in the database."""
NOT_YOURS = "Only a superuser can do this for a member of staff. Nothing was changed."


class Autocomplete(AutocompleteSelect):
    """Django's field that finds rows as one types. What is no key finds none: Django's looks for it, and fails."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """What is chosen."""
        return super().optgroups(name, [key for key in value if self._is_key(key)], attrs)

    def _is_key(self, value: Any) -> bool:
        try:
            self.field.target_field.clean(value, None)
        except ValidationError:
            return False
        return True


class GuardedFields(BaseModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """A form that offers, and takes, only rows that this member of staff may touch."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, without what it may not point at."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, self.admin_site, using=kwargs.get("using")))
        return _narrowed(super().formfield_for_foreignkey(db_field, request, **kwargs), request)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, without what it may not point at."""
        return _narrowed(super().formfield_for_manytomany(db_field, request, **kwargs), request)


class Guarded(GuardedFields, admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """A model's pages; mixed into what is registered."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the row may be changed."""
        return super().has_change_permission(request, obj) and ranks.may_touch(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the row may be deleted."""
        return super().has_delete_permission(request, obj) and ranks.may_touch(request.user, obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The rows on the page of another one, guarded too."""
        return [guarded(inline, GuardedFields) for inline in super().get_inlines(request, obj)]

    def get_actions(self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """The actions, each for what may be touched; one that asks for no permission is for those who may change."""
        found: dict[str, Any] = super().get_actions(request, action_location=action_location)
        changes = self.has_change_permission(request)
        allowed = {name: getattr(action.func, "allowed_permissions", ()) for name, action in found.items()}
        return {
            name: action if allowed[name] and READS.issuperset(allowed[name]) else replace(action, func=_held(action))
            for name, action in found.items()
            if allowed[name] or changes
        }

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list that the address asks for. Raises `IncorrectLookupParameters` for an address that makes no sense:
        Django checks the words of a filter, not every number, date or key in it."""
        try:
            return super().get_changelist_instance(request)
        except SENSELESS as error:
            if not request.GET:
                raise
            raise IncorrectLookupParameters(str(error)) from error

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Store the row, unless it points at somebody who may not be touched, or did."""
        _require(request, obj)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Store the rows of another model, on the same condition."""
        for row in formset.forms:
            if row.has_changed():
                _require(request, row.instance)
        super().save_formset(request, form, formset, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row, on the same condition."""
        _require(request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete rows, on the same condition."""
        if ranks.untouchable(queryset, request.user).exists():
            raise PermissionDenied
        super().delete_queryset(request, queryset)


@cache
def guarded(pages: type[Any], guard: type[Any] = Guarded) -> type[Any]:
    """The class of pages with the guard before it."""
    return type(pages.__name__, (guard, pages), {"__module__": pages.__module__, "__doc__": pages.__doc__})


def _narrowed(field: Any, request: HttpRequest) -> Any:
    if field is not None:
        field.queryset = ranks.touchable(field.queryset, request.user)
    return field


def _require(request: HttpRequest, row: Model) -> None:
    stored = type(row)._base_manager.filter(pk=row.pk)
    if not ranks.may_touch(request.user, row) or ranks.untouchable(stored, request.user).exists():
        raise PermissionDenied


def _held(action: Action) -> Any:
    """What the action does, unless a selected row may not be touched."""

    @wraps(action.func)
    def act(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if ranks.untouchable(queryset, request.user).exists():
            model_admin.message_user(request, NOT_YOURS, messages.ERROR)
            return None
        return action.func(model_admin, request, queryset)

    return act
