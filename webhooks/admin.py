"""Deliveries with their attempts, and endpoints: staff may send one again and resume the other, and no more."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webhooks import endpoints, wording
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.services import NotResendable, resend_delivery

RESEND_PERMISSION = "webhooks.resend_delivery"
RESUME_PERMISSION = "webhooks.resume_endpoint"

# Django's classes are generic for the type checker only.
if TYPE_CHECKING:
    DeliveryAdminBase = admin.ModelAdmin[Delivery]
    EndpointAdminBase = admin.ModelAdmin[Endpoint]
else:
    DeliveryAdminBase = EndpointAdminBase = admin.ModelAdmin


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(_ReadOnly, DeliveryAdminBase):
    # The list shows the host alone: a URL's path and query often hold a secret of the receiver.
    list_display = ("event_id", "state_chip", "event_type", "url_host", "recorded", "last_error")
    list_filter = ("state", "event_type", "created_at")
    # Named for the search box to appear; get_search_results says how they are compared.
    search_fields = ("event_id", "owner", "subscriber")
    search_help_text = "The whole event id, or the id of a case or of a client."
    ordering = ("-created_at",)
    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Finds by equality: the admin's own search compares upper-cased text, which no index serves."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        wanted = Q(event_id=term)
        with contextlib.suppress(ValueError):
            wanted |= Q(owner=UUID(term)) | Q(subscriber=UUID(term))
        return queryset.filter(wanted), False

    @admin.display(description="State", ordering="state")
    def state_chip(self, delivery: Delivery) -> SafeString:
        is_held = delivery.held_by_id is not None
        return _show_chip(wording.describe_state(delivery.state, tries=delivery.tries, is_held=is_held))

    @admin.display(description="Recorded (UTC)", ordering="created_at")
    def recorded(self, delivery: Delivery) -> str:
        return f"{delivery.created_at:%-d %b %Y, %H:%M}"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:delivery_id>/resend/", view(self.resend_view), name="webhooks_delivery_resend"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the delivery with every attempt; nothing can be changed by the form that Django would show here."""
        delivery = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, delivery) or request.method == "POST":
            raise PermissionDenied
        if delivery is None:
            return _tell_unknown(request)
        return TemplateResponse(request, "webhooks/delivery.html", self._describe(request, delivery))

    def resend_view(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Asks whether a delivery shall go out again, and makes it due on a POST; of two people one is told to wait."""
        delivery = self.get_object(request, str(delivery_id))
        if not (self.has_view_permission(request, delivery) and request.user.has_perm(RESEND_PERMISSION)):
            raise PermissionDenied
        if delivery is None:
            return _tell_unknown(request)
        if request.method != "POST":
            return TemplateResponse(request, "webhooks/resend.html", self._describe(request, delivery))
        by = request.user.get_username()[:200]
        try:
            with transaction.atomic():
                resend_delivery(delivery.pk, by=by, now=timezone.now())
                self.log_change(request, delivery, "Sent again.")
        except NotResendable as refusal:
            self.message_user(request, f"Nothing was sent: {refusal}", messages.WARNING)
        else:
            self.message_user(request, "The webhook goes out again; a worker takes it now.", messages.SUCCESS)
        return HttpResponseRedirect(_get_url(delivery))

    def _describe(self, request: HttpRequest, delivery: Delivery) -> dict[str, Any]:
        is_held, now = delivery.held_by_id is not None, timezone.now()
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{delivery.event_type} to {delivery.url_host}",
            "delivery": delivery,
            "chip": wording.describe_state(delivery.state, tries=delivery.tries, is_held=is_held),
            "wait": wording.describe_wait(next_attempt_at=delivery.next_attempt_at, is_held=is_held, now=now),
            "attempts": [_describe_attempt(attempt) for attempt in delivery.attempts.all()],
            "body": _format_json(delivery.body),
            "may_resend": request.user.has_perm(RESEND_PERMISSION) and not is_held and delivery.lease_until is None,
            "may_resume": request.user.has_perm(RESUME_PERMISSION),
            "delivery_url": _get_url(delivery),
        }


@admin.register(Endpoint)
class EndpointAdmin(_ReadOnly, EndpointAdminBase):
    """Where webhooks of clients with retries go, once it has failed; what never failed has no row."""

    list_display = ("origin", "state_chip", "waiting", "failing_since", "paused_at", "last_error")
    list_display_links = ("origin",)
    search_fields = ("origin",)
    ordering = ("paused_at", "-failing_since", "pk")
    show_full_result_count = False
    actions = None

    def get_site_context(self, request: HttpRequest) -> dict[str, Any]:
        """Returns how many endpoints are paused, for every page; nothing for who may not see deliveries."""
        if not request.user.has_perm("webhooks.view_delivery"):
            return {}
        return {
            "paused_endpoint_count": endpoints.count_paused(),
            "endpoints_url": reverse("admin:webhooks_endpoint_changelist"),
        }

    def has_view_permission(self, request: HttpRequest, obj: Endpoint | None = None) -> bool:
        # Who may read the deliveries may read where they go.
        return request.user.has_perm("webhooks.view_delivery") or super().has_view_permission(request, obj)

    @admin.display(description="State", ordering="paused_at")
    def state_chip(self, endpoint: Endpoint) -> SafeString:
        return _show_chip(wording.describe_endpoint(paused_at=endpoint.paused_at, failing_since=endpoint.failing_since))

    @admin.display(description="Waiting")
    def waiting(self, endpoint: Endpoint) -> int:
        return endpoints.count_waiting([endpoint.pk]).get(endpoint.pk, 0)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:endpoint_id>/resume/", view(self.resume_view), name="webhooks_endpoint_resume"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows how the endpoint fares, with the button that resumes it for who may."""
        endpoint = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, endpoint) or request.method == "POST":
            raise PermissionDenied
        if endpoint is None:
            return _tell_unknown(request)
        return TemplateResponse(request, "webhooks/endpoint.html", self._describe(request, endpoint))

    def resume_view(self, request: HttpRequest, endpoint_id: int) -> HttpResponse:
        """Asks whether a paused endpoint shall get webhooks again, and resumes it on a POST."""
        endpoint = self.get_object(request, str(endpoint_id))
        if not (self.has_view_permission(request, endpoint) and request.user.has_perm(RESUME_PERMISSION)):
            raise PermissionDenied
        if endpoint is None:
            return _tell_unknown(request)
        if request.method != "POST" and endpoint.paused_at is not None:
            return TemplateResponse(request, "webhooks/resume.html", self._describe(request, endpoint))
        by, is_done = request.user.get_username()[:200], False
        if request.method == "POST":
            with transaction.atomic():
                is_done = endpoints.resume_endpoint(endpoint.pk, by=by, now=timezone.now())
                if is_done:
                    self.log_change(request, endpoint, "Resumed.")
        if is_done:
            self.message_user(request, "Resumed; what waited goes out within half a minute.", messages.SUCCESS)
        else:
            self.message_user(request, "Nothing was changed: the endpoint is not paused.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:webhooks_endpoint_change", args=[endpoint.pk]))

    def _describe(self, request: HttpRequest, endpoint: Endpoint) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": endpoint.origin,
            "endpoint": endpoint,
            "chip": wording.describe_endpoint(paused_at=endpoint.paused_at, failing_since=endpoint.failing_since),
            "waiting": endpoints.count_waiting([endpoint.pk]).get(endpoint.pk, 0),
            "may_resume": request.user.has_perm(RESUME_PERMISSION),
        }


def _show_chip(chip: wording.Chip) -> SafeString:
    return format_html('<span class="chip chip-{}">{}</span>', chip.tone, chip.text)


def _describe_attempt(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "row": attempt,
        "chip": wording.describe_attempt(attempt.outcome),
        "signatures": wording.describe_signatures(attempt.signatures),
    }


def _tell_unknown(request: HttpRequest) -> HttpResponseRedirect:
    messages.warning(request, "There is nothing with this id; it may have been deleted.")
    return HttpResponseRedirect(reverse("admin:index"))


def _get_url(delivery: Delivery) -> str:
    return reverse("admin:webhooks_delivery_change", args=[delivery.pk])


def _format_json(body: str) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode(errors="replace").decode()
