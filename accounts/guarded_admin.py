"""Rules for all pages of the admin, from any package: staff who may not change a person may not change related rows."""

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
"""Exceptions that a list raises for values that no column can have, here or in the database."""
NOT_YOURS = "Only a superuser can do this for a member of staff. Nothing was changed."


class Autocomplete(AutocompleteSelect):
    """Django's field that searches while one types; an invalid key finds nothing instead of failing."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """The chosen rows as options."""
        return super().optgroups(name, [key for key in value if self._is_key(key)], attrs)

    def _is_key(self, value: Any) -> bool:
        try:
            self.field.target_field.clean(value, None)
        except ValidationError:
            return False
        return True


class GuardedFields(BaseModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """A form that offers, and accepts, only rows that this member of staff may change."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, without rows that the member of staff may not change."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", Autocomplete(db_field, self.admin_site, using=kwargs.get("using")))
        return _narrowed(super().formfield_for_foreignkey(db_field, request, **kwargs), request)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, without rows that the member of staff may not change."""
        return _narrowed(super().formfield_for_manytomany(db_field, request, **kwargs), request)


class Guarded(GuardedFields, admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    """Guards the pages of a model; mixed into each registered class."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the member of staff may change the row. May cause queries."""
        return super().has_change_permission(request, obj) and ranks.may_touch(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the member of staff may delete the row. May cause queries."""
        return super().has_delete_permission(request, obj) and ranks.may_touch(request.user, obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """The inline rows of other models, guarded too."""
        return [guarded(inline, GuardedFields) for inline in super().get_inlines(request, obj)]

    def get_actions(self, request: HttpRequest, action_location: Any = ActionLocation.CHANGE_LIST) -> dict[str, Any]:
        """The actions, each limited to rows that may be changed; one without a permission requires that to change."""
        found: dict[str, Any] = super().get_actions(request, action_location=action_location)
        changes = self.has_change_permission(request)
        allowed = {name: getattr(action.func, "allowed_permissions", ()) for name, action in found.items()}
        return {
            name: action if allowed[name] and READS.issuperset(allowed[name]) else replace(action, func=_held(action))
            for name, action in found.items()
            if allowed[name] or changes
        }

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list for the request's address. Raises `IncorrectLookupParameters` for an invalid one.

        Django checks the words of a filter, but not every number, date or key in it.
        """
        try:
            return super().get_changelist_instance(request)
        except SENSELESS as error:
            if not request.GET:
                raise
            raise IncorrectLookupParameters(str(error)) from error

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Store the row. Raises `PermissionDenied` if it belongs, or belonged, to a person who may not be changed."""
        _require(request, obj)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001 (Django's signature)
        """Store rows of another model. Raises `PermissionDenied` as `save_model` does."""
        for row in formset.forms:
            if row.has_changed():
                _require(request, row.instance)
        super().save_formset(request, form, formset, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the row. Raises `PermissionDenied` as `save_model` does."""
        _require(request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete rows. Raises `PermissionDenied` if any of them belongs to a person who may not be changed."""
        if ranks.untouchable(queryset, request.user).exists():
            raise PermissionDenied
        super().delete_queryset(request, queryset)


@cache
def guarded(pages: type[Any], guard: type[Any] = Guarded) -> type[Any]:
    """A class of pages that has the guard before it."""
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
    """The action's function, which refuses rows that may not be changed."""

    @wraps(action.func)
    def act(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if ranks.untouchable(queryset, request.user).exists():
            model_admin.message_user(request, NOT_YOURS, messages.ERROR)
            return None
        return action.func(model_admin, request, queryset)

    return act
