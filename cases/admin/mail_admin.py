"""Mail as staff read its lists: which case it belongs to, and what is unusual about it; must not change any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentmail.admin import InboundEmailAdmin, OutboundEmailAdmin
from agentmail.models import InboundEmail, OutboundEmail
from cases.admin import plain, words
from cases.admin.overview.needs import choose_held

NO_SUBJECT = "(no subject)"


class HeldFilter(admin.SimpleListFilter):
    """Mail that should have left and has not."""

    title = "held"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "Does not leave")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboundEmail]) -> QuerySet[OutboundEmail]:
        return choose_held(queryset, timezone.now()) if self.value() == "1" else queryset


class CaseFilter(admin.SimpleListFilter):
    """Whether a received mail found its case; named as Django names the choice of an empty field."""

    title = "case"
    parameter_name = "owner__isempty"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "Belongs to no case"), ("0", "Belongs to a case")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboundEmail]) -> QuerySet[InboundEmail]:
        chosen = self.value()
        return queryset.filter(owner__isnull=chosen == "1") if chosen in ("0", "1") else queryset


admin.site.unregister([InboundEmail, OutboundEmail])


@admin.register(OutboundEmail)
class CaseOutboundAdmin(OutboundEmailAdmin):
    """Our mail; a case's own page shows it in its thread."""

    list_display = ("subject_line", "to", "state_chip", "attempts", "written", "sent", "case_link")
    search_help_text = "A whole address, or the id of a mail, a thread or a case."
    sortable_by = ()

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [HeldFilter, "state"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboundEmail]:
        queryset: QuerySet[OutboundEmail] = super().get_queryset(request)
        return queryset.defer("text", "payload") if _is_list(request) else queryset

    @admin.display(description="Subject")
    def subject_line(self, mail: OutboundEmail) -> str:
        return plain.reveal_line(mail.subject) or NO_SUBJECT

    @admin.display(description="To")
    def to(self, mail: OutboundEmail) -> str:
        return plain.reveal_line(mail.to_address)

    @admin.display(description="State")
    def state_chip(self, mail: OutboundEmail) -> SafeString:
        return _show_chip(words.describe_outbound(mail.state), mail.last_error)

    @admin.display(description="Written (UTC)")
    def written(self, mail: OutboundEmail) -> str:
        return words.format_time_briefly(mail.frozen_at)

    @admin.display(description="Sent (UTC)")
    def sent(self, mail: OutboundEmail) -> str:
        return _format(mail.sent_at)

    @admin.display(description="Case")
    def case_link(self, mail: OutboundEmail) -> SafeString:
        return _link_case(mail.owner)


@admin.register(InboundEmail)
class CaseInboundAdmin(InboundEmailAdmin):
    """Received mail; what belongs to no case is for a person to read."""

    search_help_text = "A whole address, or the id of a mail, a thread or a case."
    sortable_by = ()

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["subject_line", "sender", "unusual", "received", "case_link"]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [CaseFilter, "variant", "automatic"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEmail]:
        queryset: QuerySet[InboundEmail] = super().get_queryset(request)
        bodies = ("text", "html", "extracted_text", "headers", "references", "attachments")
        return queryset.defer(*bodies) if _is_list(request) else queryset

    @admin.display(description="Subject")
    def subject_line(self, mail: InboundEmail) -> str:
        return plain.reveal_line(mail.subject) or NO_SUBJECT

    @admin.display(description="From")
    def sender(self, mail: InboundEmail) -> str:
        return plain.reveal_line(mail.from_address)

    @admin.display(description="What it is")
    def unusual(self, mail: InboundEmail) -> str:
        return words.describe_mail(mail.automatic, mail.variant).capitalize() or "A person's words"

    @admin.display(description="Received (UTC)")
    def received(self, mail: InboundEmail) -> str:
        return words.format_time_briefly(mail.received_at)

    @admin.display(description="Case")
    def case_link(self, mail: InboundEmail) -> SafeString:
        return _link_case(mail.owner)


def _link_case(owner: UUID | None) -> SafeString:
    if owner is None:
        return _show_chip(words.NO_CASE, "")
    # The id alone says little, but a name would cost a query a row.
    return format_html('<a href="{}">Case {}…</a>', reverse("admin:cases_case_change", args=[owner]), str(owner)[:8])


def _show_chip(chip: words.Chip, note: str) -> SafeString:
    under = format_html('<span class="under">{}</span>', note[:140]) if note else ""
    return format_html('<span class="chip chip-{}">{}</span>{}', chip.tone, chip.text, under)


def _format(moment: datetime | None) -> str:
    return "—" if moment is None else words.format_time_briefly(moment)


def _is_list(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_changelist")
