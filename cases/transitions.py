"""Stores what a transition makes of a case, with the webhook and the question that belong to it.

Must run inside a transaction that holds the case's row; must not decide anything.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from agentmail.rows import Rows
from cases.models import Case, InputRequest, to_ms
from cases.representation import represent_notice
from cases.workflow import Notice, Transition
from webhooks.services import record_delivery

_CASES = Rows(Case)
# All that `Case.set_state` and a sent mail change; what the client gave is never written again.
_CHANGING = (
    "status",
    "attempt_count",
    "follow_ups_sent",
    "snoozes_in_a_row",
    "next_action",
    "next_action_at",
    "due_at",
    "result",
    "result_status",
    "failure_reason",
    "inbox_id",
    "thread_id",
    "paused_at",
    "updated_at",
)


def read_case(case_id: UUID) -> Case:
    """Returns the case as it stands at this moment; a decision on it is taken under its lock. Raises DoesNotExist."""
    return _find(case_id, "")


def lock_case(case_id: UUID) -> Case:
    """Returns the case with its row locked until the caller's transaction ends. Raises Case.DoesNotExist."""
    return _find(case_id, "FOR NO KEY UPDATE")


def _find(case_id: UUID, lock: str) -> Case:
    case = _CASES.find_first("id = %(id)s", {"id": case_id}, lock=lock)
    if case is None:
        raise Case.DoesNotExist(case_id)
    return case


def store_transition(case: Case, transition: Transition, *, now: datetime) -> None:
    """Writes the new state, opens or closes the question, and records the client webhook.

    `now` is on the case's own clock. One transaction holds all of it, so that a state never stands without
    its webhook, nor a webhook without its state.
    """
    case.set_state(transition.state, now)
    _CASES.update(case, _CHANGING)
    if transition.closes_question:
        case.input_requests.filter(status=InputRequest.PENDING).update(status=InputRequest.RESOLVED, resolved_at=now)
    asked = None
    if transition.question:
        # `updated_at` never stands still, so that the newest question is always told from the one before.
        asked = case.input_requests.create(question=transition.question, requested_at=case.updated_at)
    if transition.notice is not None and case.client_webhook_url:
        _record_notice(case, transition.notice, asked, now)


def _record_notice(case: Case, notice: Notice, asked: InputRequest | None, now: datetime) -> None:
    updated_ms = to_ms(case.updated_at)
    event_id = f"evt_{case.id}_{notice.replace('.', '_')}_{updated_ms}"
    body = {
        "event_id": event_id,
        "event_type": notice.value,
        "timestamp": updated_ms,
        "data": represent_notice(case, list(case.attachments.all()), asked),
    }
    record_delivery(
        owner=case.id,
        subscriber=case.client_id,
        url=case.client_webhook_url,
        event_id=event_id,
        event_type=notice.value,
        body=body,
        # Deliveries live on the real clock, whatever the sandbox has done to the case's.
        now=now - case.clock_offset,
    )
