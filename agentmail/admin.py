"""Mail in the admin, to read only: every row is evidence of what was sent or received."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from agentmail.models import DeclinedAddress, InboundEmail, OutboundEmail, ProviderEvent, SuppressedAddress

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    # Generic only in the stubs.
    _ModelAdmin = admin.ModelAdmin


class _ReadOnlyAdmin(_ModelAdmin):
    # Counting a large table costs more than the page.
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(OutboundEmail)
class OutboundEmailAdmin(_ReadOnlyAdmin):
    """Our mail and how its attempts went."""

    list_display = ("to_address", "subject", "state", "attempts", "frozen_at", "sent_at", "owner")
    list_filter = ("state",)
    search_fields = ("=to_address", "=message_id", "=thread_id", "=owner")
    ordering = ("-frozen_at",)


class _OwnerFilter(admin.EmptyFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "owner"


@admin.register(InboundEmail)
class InboundEmailAdmin(_ReadOnlyAdmin):
    """Received mail; the filter on the owner shows what nobody was found for."""

    list_display = ("from_address", "subject", "variant", "automatic", "received_at", "owner")
    list_filter = (("owner", _OwnerFilter), "variant", "automatic")
    search_fields = ("=from_address", "=message_id", "=thread_id", "=owner")
    ordering = ("-received_at",)
    raw_id_fields = ("event",)


@admin.register(ProviderEvent)
class ProviderEventAdmin(_ReadOnlyAdmin):
    """Everything the provider told us, once each; the kind `ignored` with its note is what could not be read."""

    list_display = ("event_type", "event_id", "kind", "note", "received_at", "owner")
    list_filter = ("kind", "report_kind")
    search_fields = ("=event_id", "=svix_id", "=message_id", "=thread_id")
    ordering = ("-received_at",)


class _ReleasableAdmin(_ReadOnlyAdmin):
    """Addresses that get no mail. Who has the permission may delete one, and its address gets mail again."""

    # One address at a time, after its reason was read.
    actions = None
    ordering = ("-created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(f"agentmail.delete_{self.opts.model_name}")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asks in words what deleting the row means, and deletes it when that is confirmed."""
        title = "Let Offload write to this address again"
        return super().delete_view(request, object_id, {"title": title, **(extra_context or {})})


@admin.register(SuppressedAddress)
class SuppressedAddressAdmin(_ReleasableAdmin):
    """Addresses that nobody writes to any more."""

    list_display = ("address", "reason", "detail", "created_at")
    list_filter = ("reason",)
    search_fields = ("=address",)


@admin.register(DeclinedAddress)
class DeclinedAddressAdmin(_ReleasableAdmin):
    """Addresses that asked one client not to write to them; the scope is the client's id."""

    list_display = ("address", "detail", "scope", "created_at")
    search_fields = ("=address", "=scope")
