"""API clients and their keys: to look at, and for a superuser to switch off; a key's text is never known here."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases import credentials
from cases.admin import webhook_pages
from cases.admin.actions.key_views import NewKeyViews, RevokeKeyViews
from cases.admin.base import ApiKeyInlineBase, KeepingInlineBase, NothingMadeHere
from cases.keeping import Keeping
from cases.models import ApiKey, Client

# Django's own has headers without a word, and boxes without a label.
INLINE_TEMPLATE = "cases/inline_table.html"


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
    template = INLINE_TEMPLATE
    fields = ("prefix", "name", "state", "is_active", "created_at", "last_used_at", "expires_at", "revoked_at")
    readonly_fields = ("prefix", "name", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
    extra = 0
    can_delete = False


class KeepingInline(_SwitchedBySuperusers, KeepingInlineBase):
    """How long the client's ended cases keep what was written (docs/privacy.md)."""

    model = Keeping
    template = INLINE_TEMPLATE
    fields = ("mail_days", "files_days", "agent_days")
    # The empty row of a client without a limit; left empty, it is not stored.
    extra = 1
    max_num = 1
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As changing: a client has no row before its first limit."""
        return self.has_change_permission(request, obj)


@admin.register(Client)
class ClientAdmin(_SwitchedBySuperusers, NewKeyViews):
    """Clients are made by `manage.py create_client`, which shows the first key once; more keys are made here too."""

    list_display = ("name", "is_active", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    fields = ("name", "id", "is_active", "created_at", "webhooks")
    readonly_fields = ("id", "created_at", "webhooks")
    inlines = (KeepingInline, ApiKeyInline)
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        return [*webhook_pages.list_urls(self.admin_site), *super().get_urls()]

    @admin.display(description="Webhooks")
    def webhooks(self, client: Client) -> SafeString:
        """Returns the way to how the client's webhooks are signed and retried."""
        url = reverse("admin:cases_client_webhooks", args=[client.pk])
        return format_html('<a href="{}">Signing, retries and what failed</a>', url)


@admin.register(ApiKey)
class ApiKeyAdmin(_WithState, _SwitchedBySuperusers, RevokeKeyViews):
    """Only a key's prefix is known; a key that is switched off or revoked is refused within ten seconds."""

    list_display = ("prefix", "client", "name", "state", "created_at", "last_used_at", "expires_at")
    list_filter = ("is_active", "client")
    list_select_related = ("client",)
    search_fields = ("prefix", "client__name")
    readonly_fields = ("client", "prefix", "name", "state", "created_at", "last_used_at", "expires_at", "revoked_at")
    fields = (*readonly_fields[:4], "is_active", *readonly_fields[4:])
    # One key at a time, after a page that says what follows.
    actions = None
    show_full_result_count = False
