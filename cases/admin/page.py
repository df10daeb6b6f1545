"""Gathers what the page of one case shows; must not change anything or ask the mail provider."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from agentmail.models import DeclinedAddress, ProviderEvent, SuppressedAddress
from cases.admin import words
from cases.admin.conversation import Conversation, show_conversation
from cases.admin.queues import LIVE_STATUSES, DeadStep, describe_dead_step
from cases.admin.result_fields import ResultField, format_value, list_result_fields
from cases.admin.timeline import Deed, Timeline, WebhookDelivery, list_deeds, show_deliveries, show_timeline
from cases.admin.words import Chip
from cases.agent.wanted import humanize
from cases.models import Case, CaseEvent, CaseNote, InputRequest
from cases.teamwork import Answering, find_answering
from cases.workflow import ResultStatus, Status

_MAIL_FAILURES = (ResultStatus.SEND_FAILED, ResultStatus.BOUNCED, ResultStatus.COMPLAINED, ResultStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class View:
    """What of a long case is looked at: a page of its mails (1 is the newest), and all its steps or the newest."""

    mails: int = 1
    has_all_steps: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a JSON object."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the client told the agent; `private` informs it and never leaves in a mail."""

    text: str
    public: tuple[Member, ...]
    private: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why the counterparty's address gets no more mail, and the row that says so, on its `page` of the admin."""

    sentence: str
    pk: UUID
    page: str = "admin:agentmail_suppressedaddress_change"


@dataclass(frozen=True, slots=True)
class CasePage:
    """All that the template needs, in words."""

    case: Case
    status: Chip
    needs_human: bool
    next_action: str
    attempts: str
    question: InputRequest | None
    answering: Answering | None
    answered: tuple[InputRequest, ...]
    is_answered: bool
    dead_steps: tuple[DeadStep, ...]
    result_words: str
    suppression: Suppression | None
    conversation: Conversation
    timeline: Timeline
    deeds: tuple[Deed, ...]
    deliveries: tuple[WebhookDelivery, ...]
    notes: tuple[CaseNote, ...]
    knowledge: Knowledge
    fields: tuple[ResultField, ...]
    result_schema: str
    custom_data: tuple[Member, ...]
    metadata: str
    webhook_host: str


def gather_page(case: Case, *, now: datetime, view: View | None = None, viewer: str = "") -> CasePage:
    """Returns the page of `case` as of `now` (the real clock) for `viewer`, a user name.

    Nineteen queries at most, whatever the case holds.
    """
    view = view or View()
    requests = list(case.input_requests.order_by("requested_at", "id"))
    newest = requests[-1] if requests else None
    question = newest if newest and newest.status == InputRequest.PENDING else None
    is_answered = case.status == Status.INPUT_NEEDED and newest is not None and newest.status == InputRequest.RESOLVED
    dead_steps = _list_dead_steps(case)
    conversation = show_conversation(case, view.mails)
    return CasePage(
        case=case,
        status=words.ANSWERED if is_answered else words.describe_status(case.status),
        needs_human=question is not None or bool(dead_steps),
        next_action="" if is_answered else _tell_next_action(case, now),
        attempts=words.describe_attempts(case.attempt_count, case.follow_ups_sent, case.max_attempts),
        question=question,
        answering=find_answering(question, besides=viewer, now=now) if question else None,
        answered=tuple(request for request in requests if request.status == InputRequest.RESOLVED),
        is_answered=is_answered,
        dead_steps=dead_steps,
        result_words=words.describe_result(case.result_status),
        suppression=_find_suppression(case),
        conversation=conversation,
        timeline=show_timeline(case, requests, conversation.sources, now, is_whole=view.has_all_steps),
        deeds=list_deeds(case),
        deliveries=show_deliveries(case),
        notes=tuple(case.notes.all()),
        knowledge=_split_knowledge(case.knowledge),
        fields=list_result_fields(case, conversation.sources),
        result_schema=_format_json(case.result_schema),
        custom_data=_list_members(case.counterparty_custom_data),
        metadata=_format_json(case.metadata),
        webhook_host=urlsplit(case.client_webhook_url).hostname or "",
    )


def _list_dead_steps(case: Case) -> tuple[DeadStep, ...]:
    if case.status not in LIVE_STATUSES:
        return ()
    dead = case.events.filter(status=CaseEvent.DEAD).order_by("id")
    return tuple(describe_dead_step(event, case.counterparty_name) for event in dead)


def _tell_next_action(case: Case, now: datetime) -> str:
    return words.describe_next_action(case.status, case.next_action, case.next_action_at, case.get_now(now))


def _find_suppression(case: Case) -> Suppression | None:
    """Returns why the case could not be written to; one query, or two, for a case that failed over its mail."""
    if case.status != Status.FAILED or case.result_status not in _MAIL_FAILURES:
        return None
    row = SuppressedAddress.objects.filter(address=case.counterparty_address.strip().lower()).first()
    if row is None:
        return _find_request_to_stop(case)
    # A report of this case's own mail and the row that it made carry the same moment.
    is_own = ProviderEvent.objects.filter(owner=case.id, matched_at=row.created_at).exists()
    sentence = words.describe_suppression(row.address, row.reason, row.created_at, is_own=is_own)
    return Suppression(sentence, row.pk)


def _find_request_to_stop(case: Case) -> Suppression | None:
    address = case.counterparty_address.strip().lower()
    row = DeclinedAddress.objects.filter(scope=case.client_id, address=address).first()
    if row is None:
        return None
    sentence = words.describe_request_to_stop(address, row.created_at)
    return Suppression(sentence, row.pk, "admin:agentmail_declinedaddress_change")


def _split_knowledge(knowledge: Any) -> Knowledge:
    if not isinstance(knowledge, dict):
        return Knowledge(knowledge if isinstance(knowledge, str) else "", (), ())
    public = {name: value for name, value in knowledge.items() if name != "private"}
    if "private" not in knowledge:
        return Knowledge("", _list_members(public), ())
    private = knowledge["private"]
    members = _list_members(private) if isinstance(private, dict) else (Member("Private", format_value(private)),)
    return Knowledge("", _list_members(public), members)


def _list_members(document: Any) -> tuple[Member, ...]:
    """Returns the members of an object, each under its name as words."""
    return tuple(_make_members(document)) if isinstance(document, dict) else ()


def _make_members(document: dict[str, Any]) -> Iterable[Member]:
    for name, value in document.items():
        yield Member(humanize(name) or name, format_value(value))


def _format_json(document: Any) -> str:
    return "" if document is None else json.dumps(document, indent=2, ensure_ascii=False)
