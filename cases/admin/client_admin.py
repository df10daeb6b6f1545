"""API clients and their keys: to look at, and for a superuser to switch off or revoke; must not show or make a key."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from cases import credentials
from cases.admin.base import ApiKeyAdminBase, ApiKeyInlineBase, ClientAdminBase, NothingMadeHere
from cases.models import ApiKey, Client


class _SwitchedBySuperusers(NothingMadeHere):
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser


class _WithState:
    @admin.display(description="state")
    def state(self, row: ApiKey) -> str:
        """Returns what the key is worth at this moment."""
        return credentials.get_state(row, timezone.now()).value


class ApiKeyInline(_WithState, _SwitchedBySuperusers, ApiKeyInlineBase):
    model = ApiKey
    fields = ("prefix", "name", "state", "is_active", "created_at", "last_used_at", "expires_at", "revoked_at")
    readonly_fields = ("prefix", "name", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
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
class ApiKeyAdmin(_WithState, _SwitchedBySuperusers, ApiKeyAdminBase):
    """Only a key's prefix is known; a key that is switched off or revoked is refused within ten seconds."""

    list_display = ("prefix", "client", "name", "state", "created_at", "last_used_at", "expires_at")
    list_filter = ("is_active", "client")
    list_select_related = ("client",)
    search_fields = ("prefix", "client__name")
    readonly_fields = ("client", "prefix", "name", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
    fields = (*readonly_fields[:4], "is_active", *readonly_fields[4:])
    actions = ("revoke",)
    show_full_result_count = False

    @admin.action(description="Revoke the chosen keys for good", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Revokes keys and logs each; one that was revoked already keeps its time."""
        revoked = [row for row in queryset if credentials.revoke_key(row.pk, timezone.now())]
        for row in revoked:
            self.log_change(request, row, "Revoked.")
        self.message_user(
            request,
            f"Revoked: {', '.join(row.prefix for row in revoked)}." if revoked else "The keys were revoked already.",
            messages.SUCCESS if revoked else messages.INFO,
        )
