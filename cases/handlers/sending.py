"""Brings one frozen mail to its end: sent, refused, given up, or still to be tried; must not draft or change its text.

How a send survives a crash: the mail was committed before this runs. Each attempt is committed before its HTTP call,
so a crash leaves an attempt whose outcome is unknown, never a mail nobody knows of. Every repeat is the identical
request under the same key, which the provider answers with the first mail's ids.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from agentmail.models import OutboundEmail
from agentmail.outcomes import (
    Absent,
    Found,
    LookUpFailed,
    MailState,
    Misconfigured,
    NotNow,
    Refused,
    SendOutcome,
    Sent,
    Unknown,
)
from agentmail.services import (
    Closure,
    abandon_mail,
    adopt_mail,
    begin_attempt,
    find_closure,
    find_frozen_mail,
    is_known_absent,
    is_known_unsent,
    lock_thread,
    match_waiting,
    may_repeat,
    record_lookup_miss,
    settle_attempt,
)
from cases import ledger
from cases.coverage import has_later_decision, list_seen_ids
from cases.handlers.seen import PAUSED, list_unread
from cases.handlers.tools import Tools, release_connection
from cases.ledger import Claim, LeaseLost
from cases.models import Case
from cases.services import record_delivery_failure, record_reply
from cases.transitions import lock_case, store_transition
from cases.workflow import (
    MailKind,
    MailSent,
    Outcome,
    ReplyLeftToEvaluation,
    SendRefused,
    apply_outcome,
    may_send,
)

logger = logging.getLogger(__name__)

UNKNOWN_RETRY_SECONDS = 5.0
LOOK_UP_RETRY_SECONDS = 15.0


class Obstacle(StrEnum):
    """Why a mail must not leave (any more)."""

    ENDED = "The case ended before this mail could leave."
    WAITING = "The case waits for a human, so this mail must not leave."
    SUPPRESSED = "This address gets no more mail."
    DECLINED = "This address has asked not to be written to."
    NEWER_MAIL = "The counterparty wrote again before this mail could leave; the new mail decides."
    OVERTAKEN = "A later event of the case was decided before this mail could leave."
    TOO_OLD = "The provider no longer remembers this mail's key, so it is never repeated."


@dataclass(frozen=True, slots=True)
class Ready:
    mail: OutboundEmail


@dataclass(frozen=True, slots=True)
class LookUpFirst:
    """An attempt may have gone out: find out, and never repeat it."""

    mail: OutboundEmail
    obstacle: Obstacle


def send_frozen_mail(claimed: Claim, kind: MailKind, tools: Tools) -> None:
    """Makes one attempt at the mail of this event, or looks for what an earlier attempt did; settles the event.

    Raises LeaseLost; then the attempt stands as unknown and the next worker repeats the identical request.
    """
    prepared = _prepare(claimed, kind, tools)
    if prepared is None:
        return
    release_connection()
    if isinstance(prepared, LookUpFirst):
        _look_up(claimed, kind, prepared, tools)
        return
    mail = prepared.mail
    outcome = tools.mail.send(
        mail.payload,
        inbox_id=mail.inbox_id,
        idempotency_key=mail.idempotency_key,
        reply_to_message_id=mail.reply_to_message_id,
    )
    _settle(claimed, kind, mail, outcome, tools)


def _prepare(claimed: Claim, kind: MailKind, tools: Tools) -> Ready | LookUpFirst | None:
    """Checks, under the case's row lock, that the mail may leave, and commits the attempt. None: the event is over."""
    now = tools.read_clock()
    with transaction.atomic():
        mail = find_frozen_mail(str(claimed.event_id))
        if mail is None:
            raise LookupError(f"event {claimed.event_id} has no frozen mail")
        if mail.thread_id:
            lock_thread(mail.thread_id)
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        if mail.state == MailState.SENT:
            _store_sent(claimed, case, kind, mail, tools)
            return None
        if case.paused_at is not None:
            ledger.postpone(claimed, PAUSED, None)
            return None
        obstacle = _find_obstacle(claimed, case, kind)
        if obstacle is None and not is_known_unsent(mail) and not may_repeat(mail, now):
            obstacle = Obstacle.TOO_OLD
        if obstacle is None:
            return Ready(begin_attempt(mail.id, now))
        if not is_known_unsent(mail):
            return LookUpFirst(mail, obstacle)
        _abandon(claimed, case, kind, mail, obstacle, tools)
        return None


def _find_obstacle(claimed: Claim, case: Case, kind: MailKind) -> Obstacle | None:
    state = case.get_state()
    if state.status.is_terminal:
        return Obstacle.ENDED
    if not may_send(state, kind):
        return Obstacle.WAITING
    if obstacle := find_closed_address(case):
        return obstacle
    if has_later_decision(case.id, claimed.event_id):
        return Obstacle.OVERTAKEN
    if kind is MailKind.OUTREACH:
        return None
    seen = list_seen_ids(case.id, with_event=claimed.event_id)
    return Obstacle.NEWER_MAIL if list_unread(case, seen, None) else None


def find_closed_address(case: Case) -> Obstacle | None:
    """Returns why the counterparty gets no mail in any state of the case, or None."""
    match find_closure(case.counterparty_address, case.client_id):
        case Closure.SUPPRESSED:
            return Obstacle.SUPPRESSED
        case Closure.DECLINED:
            return Obstacle.DECLINED
    return None


def describe_closed_address(case: Case, obstacle: Obstacle) -> str:
    """Returns the failure reason of a case whose counterparty gets no mail."""
    return f"{obstacle.value} ({case.counterparty_address})"


def _abandon(claimed: Claim, case: Case, kind: MailKind, mail: OutboundEmail, obstacle: Obstacle, tools: Tools) -> None:
    """Gives a mail up that is known not to have left, with what that means for the case."""
    real_now = tools.read_clock()
    now = case.get_now(real_now)
    abandon_mail(mail.id, obstacle.value, real_now)
    outcome: Outcome | None = None
    if obstacle in (Obstacle.SUPPRESSED, Obstacle.DECLINED):
        outcome = SendRefused(describe_closed_address(case, obstacle))
    elif obstacle is Obstacle.TOO_OLD:
        outcome = SendRefused("For 20 hours nobody could say whether the mail left. The provider has no trace of it.")
    elif obstacle is Obstacle.NEWER_MAIL and kind.uses_follow_up:
        outcome = ReplyLeftToEvaluation()
    if outcome is not None:
        transition = apply_outcome(case.get_state(), outcome, now)
        if transition.is_change:
            store_transition(case, transition, now=now)
    ledger.finish(claimed, obstacle.value)


def _settle(
    claimed: Claim,
    kind: MailKind,
    mail: OutboundEmail,
    outcome: SendOutcome,
    tools: Tools,
) -> None:
    try:
        _settle_fenced(claimed, kind, mail, outcome, tools)
    except LeaseLost:
        # The event is another worker's by now, but that the mail left is true, and a reply to it must find its owner.
        if isinstance(outcome, Sent):
            with transaction.atomic():
                settle_attempt(mail.id, outcome, tools.read_clock())
        raise


def _settle_fenced(claimed: Claim, kind: MailKind, mail: OutboundEmail, outcome: SendOutcome, tools: Tools) -> None:
    now = tools.read_clock()
    with transaction.atomic():
        if isinstance(outcome, Sent):
            # Before the case's row, in the order in which the provider's webhook takes the two.
            lock_thread(outcome.thread_id)
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        settled = settle_attempt(mail.id, outcome, now)
        match outcome:
            case Sent():
                _store_sent(claimed, case, kind, settled, tools)
            case Refused(reason=reason):
                _store_refused(claimed, case, reason, tools)
            case NotNow(reason=reason, retry_after_s=retry_after_s):
                ledger.postpone(claimed, f"The mail provider cannot take it now: {reason}", retry_after_s)
            case Unknown(reason=reason):
                wait = min(UNKNOWN_RETRY_SECONDS * 2 ** min(claimed.waits, 10), 600.0)
                ledger.postpone(claimed, f"It is unknown whether the mail left: {reason}", wait)
            case Misconfigured(reason=reason):
                logger.error("mail waits for a change of configuration: %s", reason)
                ledger.postpone(claimed, f"The mail provider's configuration needs mending: {reason}", None)


def _store_refused(claimed: Claim, case: Case, reason: str, tools: Tools) -> None:
    now = case.get_now(tools.read_clock())
    transition = apply_outcome(case.get_state(), SendRefused(reason), now)
    if transition.is_change:
        store_transition(case, transition, now=now)
    ledger.finish(claimed, f"The mail provider refused the mail: {reason}")


def _store_sent(claimed: Claim, case: Case, kind: MailKind, mail: OutboundEmail, tools: Tools) -> None:
    """Counts a mail that is known to have left, takes over its thread, and picks up what outran this commit."""
    real_now = tools.read_clock()
    now = case.get_now(real_now)
    if not case.thread_id:
        case.thread_id = mail.thread_id
        case.inbox_id = mail.inbox_id
    store_transition(case, apply_outcome(case.get_state(), MailSent(kind), now), now=now)
    ledger.finish(claimed, _describe_sent(kind, case))
    match_waiting(mail.thread_id, case.id, real_now, on_reply=record_reply, on_delivery_failure=record_delivery_failure)


def _describe_sent(kind: MailKind, case: Case) -> str:
    what = {
        MailKind.OUTREACH: "The first message was sent",
        MailKind.FOLLOW_UP: f"Follow-up {case.follow_ups_sent} of {case.max_attempts} was sent",
        MailKind.REPLY: "An answer was sent in the thread",
        MailKind.NUDGE: f"A reminder was sent (follow-up {case.follow_ups_sent} of {case.max_attempts})",
    }[kind]
    return f"{what} to {case.counterparty_address}."


def _look_up(claimed: Claim, kind: MailKind, prepared: LookUpFirst, tools: Tools) -> None:
    """Asks the provider for the mail by its label: found, it counts as sent; absent for a minute, it never left."""
    mail = prepared.mail
    answer = tools.mail.find_by_label(mail.inbox_id, mail.label)
    now = tools.read_clock()
    with transaction.atomic():
        if isinstance(answer, Found):
            lock_thread(answer.thread_id)
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        match answer:
            case Found(message_id=message_id, thread_id=thread_id):
                adopted = adopt_mail(mail.id, message_id, thread_id, now)
                _store_sent(claimed, case, kind, adopted, tools)
            case LookUpFailed(reason=reason):
                ledger.postpone(claimed, f"The provider could not say whether the mail left: {reason}", None)
            case Absent():
                # The provider's lists may lag behind its sends: absence is believed after a minute of looking.
                missed = record_lookup_miss(mail.id, now)
                if is_known_absent(missed, now):
                    _abandon(claimed, case, kind, mail, prepared.obstacle, tools)
                else:
                    ledger.postpone(claimed, "Looking whether the mail left.", LOOK_UP_RETRY_SECONDS)
