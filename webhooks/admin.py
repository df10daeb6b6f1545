"""Shows deliveries and their attempts to staff; must not change any."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from webhooks.models import Delivery, DeliveryAttempt

# Django's classes are generic for the type checker only.
if TYPE_CHECKING:
    AttemptInlineBase = admin.TabularInline[DeliveryAttempt, Delivery]
    DeliveryAdminBase = admin.ModelAdmin[Delivery]
else:
    AttemptInlineBase = admin.TabularInline
    DeliveryAdminBase = admin.ModelAdmin


class DeliveryAttemptInline(AttemptInlineBase):
    model = DeliveryAttempt
    fields = ("number", "outcome", "status_code", "error", "duration_ms", "started_at", "finished_at", "first_bytes")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeliveryAttempt | Delivery | None = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(DeliveryAdminBase):
    # The list shows the host alone: a URL's path and query often hold a secret of the receiver.
    list_display = ("event_id", "event_type", "state", "url_host", "created_at", "last_error")
    list_filter = ("state", "event_type", "created_at")
    # Named for the search box to appear; get_search_results says how they are compared.
    search_fields = ("event_id", "owner")
    search_help_text = "The whole event id, or the id of the case."
    ordering = ("-created_at",)
    list_per_page = 50
    show_full_result_count = False
    inlines = (DeliveryAttemptInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Finds by equality: the admin's own search compares upper-cased text, which no index serves."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        wanted = Q(event_id=term)
        with contextlib.suppress(ValueError):
            wanted |= Q(owner=UUID(term))
        return queryset.filter(wanted), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False
