"""What the outside may do to a case: open, answer, cancel, and report what the mail provider saw.

Every function is one transaction that ends with rows, never with a network call; must not import the worker's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from agentmail.outcomes import MailState
from agentmail.services import MatchedFailure, MatchedReply, find_frozen_mail
from cases import ledger
from cases.coverage import is_overtaken
from cases.models import Attachment, Case, CaseEvent, Client, InputRequest
from cases.nudge import nudge_on_commit
from cases.opening import store_with_first_event
from cases.transitions import lock_case, store_transition
from cases.workflow import (
    Cancelled,
    DeliveryFailed,
    EvaluationGivenUp,
    EventKind,
    ResultStatus,
    SendRefused,
    Status,
    apply_outcome,
)


class CaseNotWaiting(Exception):
    """The case does not wait for input (409 CASE_NOT_WAITING_FOR_INPUT)."""


class InputRequestMismatch(Exception):
    """The id is not that of the case's active question (409 INPUT_REQUEST_MISMATCH)."""


class InputRequestNotPending(Exception):
    """The question has been answered already (409 INPUT_REQUEST_NOT_PENDING)."""


class CaseAlreadyFinished(Exception):
    """The case ended otherwise (409 CASE_ALREADY_FINISHED)."""


@dataclass(frozen=True, slots=True)
class NewCase:
    """A validated `POST /cases` body."""

    objective: str
    counterparty_address: str
    counterparty_name: str
    persona_name: str
    channel: str = "EMAIL"
    knowledge: str | dict[str, Any] | None = None
    counterparty_company: str = ""
    counterparty_timezone: str = ""
    counterparty_custom_data: dict[str, str] | None = None
    persona_role: str = ""
    persona_company: str = ""
    persona_tone: str = ""
    client_reference_id: str = ""
    constraints: list[str] | None = None
    max_attempts: int = 3
    follow_up_delay_hours: int = 72
    result_schema: dict[str, Any] | None = None
    client_webhook_url: str = ""
    metadata: dict[str, Any] | None = None


def open_case(client: Client, new: NewCase, *, now: datetime) -> Case:
    """Stores the case and its CASE_CREATED event, both or neither, and returns it; nothing has been sent then.

    Every call opens another case.
    """
    case = Case(
        client=client,
        **{name: getattr(new, name) for name in NewCase.__slots__},
        created_at=now,
        updated_at=now,
    )
    store_with_first_event(case, EventKind.CASE_CREATED)
    nudge_on_commit(case.id)
    return case


def answer_input_request(
    case_id: UUID, input_request_id: str, answer: str, *, answered_by: str, now: datetime
) -> InputRequest:
    """Stores a human's answer and queues INPUT_PROVIDED; of two simultaneous answers exactly one succeeds.

    Raises CaseNotWaiting, InputRequestMismatch or InputRequestNotPending, checked in this order
    (docs/api/provide-input.md), and then changes nothing.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        if case.status != Status.INPUT_NEEDED:
            raise CaseNotWaiting
        active = case.input_requests.order_by("-requested_at", "-id").first()
        if active is None or str(active.id) != input_request_id:
            raise InputRequestMismatch
        if active.status != InputRequest.PENDING:
            raise InputRequestNotPending
        active.status = InputRequest.RESOLVED
        active.resolved_at = case.get_now(now)
        active.answer = answer
        active.answered_by = answered_by
        active.save()
        ledger.record(
            case_id=case.id,
            kind=EventKind.INPUT_PROVIDED,
            key=f"input:{active.id}",
            payload={"input_request_id": str(active.id)},
        )
        nudge_on_commit(case.id)
    return active


def cancel_case(case_id: UUID, *, by: str, now: datetime) -> Case:
    """Ends a case that is not terminal, within the caller's request; a second call returns the same.

    Raises CaseAlreadyFinished when the case ended otherwise.
    """
    with transaction.atomic():
        case = lock_case(case_id)
        if case.status == Status.FAILED and case.result_status == ResultStatus.CANCELLED:
            return case
        if Status(case.status).is_terminal:
            raise CaseAlreadyFinished
        moment = case.get_now(now)
        store_transition(case, apply_outcome(case.get_state(), Cancelled(), moment), now=moment)
        ledger.record(
            case_id=case.id,
            kind=EventKind.CASE_CANCELLED,
            key=f"cancelled:{case.id}",
            payload={"by": by},
            summary=f"Cancelled by {by}.",
            born_done=True,
        )
    return case


# After this long without a human, a dead event ends its case by itself: it never vanishes.
GIVE_UP_AFTER = timedelta(hours=72)
# What a dead event of these kinds was about: a mail of ours. The others were about judging.
SENDING_KINDS = (EventKind.CASE_CREATED, EventKind.FOLLOW_UP_DUE)


def requeue_event(event_id: int) -> bool:
    """Puts a dead event back in its case's line with a clean count; returns False when it is not dead."""
    with transaction.atomic():
        case_id = ledger.requeue(event_id)
        if case_id is None:
            return False
        nudge_on_commit(case_id)
    return True


def give_up_event(event_id: int, *, by: str, now: datetime) -> bool:
    """Ends the case of a dead event as send_failed or evaluation_failed; returns False when there is nothing to end.

    A case that has ended meanwhile stays as it is.
    """
    with transaction.atomic():
        case_id = CaseEvent.objects.filter(pk=event_id).values_list("case_id", flat=True).first()
        if case_id is None:
            return False
        case = lock_case(case_id)
        # Its row too: who puts the event back at this moment holds that one alone, and has not committed yet.
        event = CaseEvent.objects.select_for_update().filter(pk=event_id, status=CaseEvent.DEAD).first()
        if event is None:
            return False
        reason = f"Given up by {by} after it had failed {event.failures} times: {event.last_error}"
        transition = apply_outcome(case.get_state(), _name_failure(event, reason), case.get_now(now))
        if transition.is_change:
            store_transition(case, transition, now=case.get_now(now))
    return transition.is_change


def _name_failure(event: CaseEvent, reason: str) -> SendRefused | EvaluationGivenUp:
    mail = find_frozen_mail(str(event.id))
    is_about_mail = event.kind in SENDING_KINDS or (mail is not None and mail.state != MailState.SENT)
    return SendRefused(reason) if is_about_mail else EvaluationGivenUp(reason)


def give_up_old_events(now: datetime) -> int:
    """Gives up the dead events of live cases that no human has touched for 72 h; returns how many cases ended.

    One that later events have overtaken ends nothing: its case went on without it. A paused case waits.
    """
    dead = CaseEvent.objects.filter(status=CaseEvent.DEAD, finished_at__lt=now - GIVE_UP_AFTER)
    stale = dead.filter(case__paused_at=None).exclude(case__status__in=[Status.COMPLETED, Status.FAILED])
    due = [event for event in stale.select_related("case").order_by("id") if not is_overtaken(event, event.case)]
    return sum(_give_up_if_still_old(event, now) for event in due)


def _give_up_if_still_old(event: CaseEvent, now: datetime) -> bool:
    """Gives an event up unless its case was paused, or its three days began anew, since it was found."""
    with transaction.atomic():
        case = lock_case(event.case_id)
        is_old = CaseEvent.objects.filter(pk=event.pk, finished_at__lt=now - GIVE_UP_AFTER).exists()
        return case.paused_at is None and is_old and give_up_event(event.pk, by="Offload", now=now)


def get_reply_key(case_id: UUID, inbox_id: str, message_id: str) -> str:
    # The sender chooses a Message-ID, so it is never taken for unique across cases.
    return f"reply:{case_id}:{inbox_id}:{message_id}"


def record_reply(reply: MatchedReply) -> None:
    """Records a mail that was matched to a case, in the caller's transaction; the same mail again changes nothing.

    A mail to an ended case is stored and stands on the timeline, and nothing acts on it.
    """
    case = lock_case(reply.owner)
    Attachment.objects.bulk_create(
        [
            Attachment(
                case=case,
                attachment_id=attachment.attachment_id,
                name=attachment.filename[:500] or "attachment",
                size=attachment.size,
                type=attachment.content_type[:255] or "application/octet-stream",
                message_id=reply.message_id,
                inbox_id=reply.inbox_id,
                received_at=case.get_time_of(reply.received_at),
            )
            for attachment in reply.attachments
        ],
        ignore_conflicts=True,
    )
    has_ended = Status(case.status).is_terminal
    ledger.record(
        case_id=case.id,
        kind=EventKind.REPLY_RECEIVED,
        key=get_reply_key(case.id, reply.inbox_id, reply.message_id),
        payload={"inbox_id": reply.inbox_id, "message_id": reply.message_id},
        summary=f"A mail arrived after the case had ended as {case.status}; nothing was done with it."
        if has_ended
        else "",
        born_done=has_ended,
    )
    if not has_ended:
        nudge_on_commit(case.id)


def record_delivery_failure(failure: MatchedFailure) -> None:
    """Ends the case at once on a bounce, complaint or rejection of our mail (docs/lifecycle.md).

    Runs in the caller's transaction. A report after the end, or a second one, only stands on the timeline.
    """
    case = lock_case(failure.owner)
    # Our own clock: the provider's may be hours behind what clients have polled, or ahead of it.
    moment = case.get_now(failure.received_at)
    reason = f"The mail provider reported {failure.kind}: {failure.detail}".rstrip(": ")
    recorded = ledger.record(
        case_id=case.id,
        kind=EventKind.DELIVERY_FAILED,
        key=f"agentmail:{failure.event_id}",
        payload={"kind": str(failure.kind), "detail": failure.detail, "at": failure.at.isoformat()},
        summary=reason,
        born_done=True,
    )
    if not recorded.is_new:
        return
    transition = apply_outcome(case.get_state(), DeliveryFailed(ResultStatus(str(failure.kind)), reason), moment)
    if transition.is_change:
        store_transition(case, transition, now=moment)
