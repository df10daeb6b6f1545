"""API clients and their keys: to look at, and for a superuser to switch off; must not show or make a key."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from cases.admin.base import ApiKeyAdminBase, ApiKeyInlineBase, ClientAdminBase, NothingMadeHere
from cases.models import ApiKey, Client


class _SwitchedBySuperusers(NothingMadeHere):
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser


class ApiKeyInline(_SwitchedBySuperusers, ApiKeyInlineBase):
    model = ApiKey
    fields = ("prefix", "name", "is_active", "created_at", "last_used_at")
    readonly_fields = ("prefix", "name", "created_at", "last_used_at")
    extra = 0
    can_delete = False


@admin.register(Client)
class ClientAdmin(_SwitchedBySuperusers, ClientAdminBase):
    """Clients are made by `manage.py create_client`, which shows the first key once."""

    list_display = ("name", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    fields = ("name", "id", "is_active", "created_at")
    readonly_fields = ("id", "created_at")
    inlines = (ApiKeyInline,)
    show_full_result_count = False


@admin.register(ApiKey)
class ApiKeyAdmin(_SwitchedBySuperusers, ApiKeyAdminBase):
    """Only a key's prefix is known; a key that is switched off is refused within ten seconds."""

    list_display = ("prefix", "client", "name", "is_active", "created_at")
    list_filter = ("is_active", "client")
    list_select_related = ("client",)
    search_fields = ("prefix", "client__name")
    fields = ("client", "prefix", "name", "is_active", "created_at", "last_used_at")
    readonly_fields = ("client", "prefix", "name", "created_at", "last_used_at")
    show_full_result_count = False
