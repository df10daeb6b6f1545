"""Has the agent judge a thread, freezes the decision, and acts on it; what a mail says never becomes an instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from django.db import transaction

from agentmail.inbound import AutomaticKind, find_dmarc
from agentmail.reading import MailMessage, ThreadView, read_thread
from cases import ledger
from cases.agent.decisions import (
    Decision,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    RequiresReply,
    Snooze,
    parse_decision,
)
from cases.agent.protocol import CaseView, Reason, RunAudit
from cases.coverage import list_answered_ids, list_requests, list_seen_ids
from cases.handlers.briefing import compose_view
from cases.handlers.budget import EVALUATE, MeteredAgent
from cases.handlers.drafting import find_reply_target
from cases.handlers.ending import conclude
from cases.handlers.judging import deserves_judgement, is_denial, judge_thread, may_be_acted_on
from cases.handlers.limiting import limit_replies
from cases.handlers.live_mail import keep_live_mail
from cases.handlers.runs import freeze_case_mail, store_run
from cases.handlers.seen import UNREADABLE_VARIANTS, UNSEEN, is_person, should_look_again
from cases.handlers.sending import send_frozen_mail
from cases.handlers.tools import Tools, release_connection
from cases.ledger import Claim
from cases.models import AgentRun, Case, InputRequest
from cases.transitions import lock_case
from cases.workflow import (
    CounterpartyRefused,
    EventKind,
    FollowUpsUsedUp,
    GoalReached,
    HumanAsked,
    MailKind,
    Outcome,
    Snoozed,
    may_send,
)

REASONS: dict[EventKind, Reason] = {
    EventKind.REPLY_RECEIVED: "reply",
    EventKind.INPUT_PROVIDED: "input",
    EventKind.RECHECK_DUE: "recheck",
    # Staff want the last reply judged as if it had just arrived.
    EventKind.REEVALUATION_ASKED: "reply",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with what it rests on; `unread` are the mails from people that no earlier evaluation has covered."""

    decision: Decision
    audit: RunAudit
    view: CaseView
    unread: tuple[MailMessage, ...]
    answered_ids: tuple[str, ...]
    reply_target: str
    # What staff should know of the decision beside the agent's own reasons.
    note: str = ""


def evaluate(claimed: Claim, case: Case, tools: Tools) -> None:
    """Judges the thread once and acts on the decision.

    Raises LeaseLost, AgentTemporary or AgentMisconfigured; nothing is frozen then, and the event is tried again.
    """
    release_connection()
    thread = read_thread(case.id, client=tools.mail)
    keep_live_mail(thread, tools)
    if claimed.kind is EventKind.RECHECK_DUE and should_look_again(claimed, thread):
        ledger.postpone(claimed, UNSEEN, None)
        return
    seen = list_seen_ids(case.id)
    unread = tuple(m for m in thread.messages if is_person(m) and m.message_id not in seen.message_ids)
    trigger = next((m for m in thread.messages if m.message_id == claimed.payload.get("message_id")), None)
    if claimed.kind is EventKind.REPLY_RECEIVED and not deserves_judgement(unread, trigger):
        _leave_unevaluated(claimed, trigger, thread, tools)
        return
    requests = list_requests(case)
    last_word = next((message for message in reversed(thread.messages) if is_person(message)), None)
    view = compose_view(
        case,
        requests,
        thread.messages,
        REASONS[claimed.kind],
        case.get_now(tools.read_clock()),
        new_message_ids=tuple(message.message_id for message in (unread or _list_asked_again(claimed, last_word))),
    )
    is_vouched = last_word is not None and _is_vouched(case, requests, last_word)
    agent = MeteredAgent(tools.agent, case, tools)
    decision, audit = judge_thread(view, last_word, agent, is_vouched=is_vouched)
    if isinstance(decision, RequiresReply) and not _is_nudge(claimed, unread):
        decision, audit = limit_replies(decision, audit, view, replies_sent=_count_replies(case))
    agent.count_limits(audit)
    if claimed.kind is EventKind.REPLY_RECEIVED and not may_be_acted_on(decision, unread):
        ledger.finish(claimed, "An automatic mail arrived without a date to wait for; it is no answer and gets none.")
        return
    target, note = find_reply_target(thread.messages), _note_proof(decision, last_word)
    judgement = Judgement(decision, audit, view, unread, list_answered_ids(requests), target, note)
    run = _freeze(claimed, judgement, tools)
    if run.mail_kind:
        send_frozen_mail(claimed, MailKind(run.mail_kind), tools)
    else:
        act_on_decision(claimed, run, tools)


def _list_asked_again(claimed: Claim, last_word: MailMessage | None) -> tuple[MailMessage, ...]:
    """Returns the last mail from a person where staff want it judged as if it had just arrived."""
    return (last_word,) if claimed.kind is EventKind.REEVALUATION_ASKED and last_word is not None else ()


def _is_nudge(claimed: Claim, unread: Sequence[MailMessage]) -> bool:
    """Whether a mail would be a reminder, which uses a follow-up, and no answer to anybody."""
    return claimed.kind is EventKind.RECHECK_DUE and not unread


def _count_replies(case: Case) -> int:
    """Returns how many answers of ours went into the thread since a human of ours last spoke."""
    answers = AgentRun.objects.filter(case_id=case.id, mail_kind=MailKind.REPLY)
    spoken_at = case.events.filter(kind=EventKind.INPUT_PROVIDED).order_by("id").values_list("id", flat=True).last()
    return answers.filter(event_id__gt=spoken_at or 0).count()


def _leave_unevaluated(claimed: Claim, trigger: MailMessage | None, thread: ThreadView, tools: Tools) -> None:
    if trigger is None and not thread.is_live:
        ledger.postpone(claimed, "The mail is not to be had: the mail provider does not show the thread.", None)
    elif trigger is None:
        question = (
            "The mail provider reported a reply that its thread does not hold. Look for it, and say what it says."
        )
        conclude(claimed, HumanAsked(question), "The mail that was reported is not in its thread.", tools)
    else:
        ledger.finish(claimed, _describe_unanswerable(trigger))


def _describe_unanswerable(trigger: MailMessage) -> str:
    if trigger.variant in UNREADABLE_VARIANTS:
        return f"The mail provider held this mail back as {trigger.variant}; it was not evaluated."
    if trigger.automatic == AutomaticKind.DELIVERY_REPORT:
        return (
            "A delivery report came by mail. It is no answer, and anybody could have written it: the mail provider's "
            "own reports decide whether our mail got through."
        )
    if trigger.automatic != AutomaticKind.NONE:
        return "An automatic mail arrived; it is no answer and gets none."
    return "An earlier evaluation had already seen this mail."


def _is_vouched(case: Case, requests: Sequence[InputRequest], message: MailMessage) -> bool:
    """Whether a human of ours has answered a question that was asked with this mail in view, and not by a denial."""
    arrived_at = case.get_time_of(message.sent_at)
    answers = (request.answer for request in requests if request.answer and request.requested_at > arrived_at)
    return any(not is_denial(answer) for answer in answers)


def _note_proof(decision: Decision, last_word: MailMessage | None) -> str:
    """A verdict may rest on a mail that nobody vouches for; whoever reads it later should know."""
    is_verdict = isinstance(decision, GoalAchieved | FailedRejected)
    if not is_verdict or last_word is None or find_dmarc(last_word.authentication):
        return ""
    return "(The mail provider gave no DMARC verdict on the sender.)"


def _freeze(claimed: Claim, judged: Judgement, tools: Tools) -> AgentRun:
    """Stores the decision and, where it may be sent, its mail, in one fenced transaction."""
    with transaction.atomic():
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        mail_kind = None
        if isinstance(judged.decision, RequiresReply):
            wanted = MailKind.NUDGE if _is_nudge(claimed, judged.unread) else MailKind.REPLY
            mail_kind = wanted if may_send(case.get_state(), wanted) else None
        run = store_run(
            claimed,
            EVALUATE,
            judged.decision.model_dump(mode="json"),
            f"{judged.decision.rationale} {judged.note}".strip(),
            judged.audit,
            tools,
            mail_kind=mail_kind,
            message_ids=[message.message_id for message in judged.view.thread],
            input_request_ids=list(judged.answered_ids),
            has_heard_counterparty=bool(judged.unread),
        )
        if mail_kind is not None and isinstance(judged.decision, RequiresReply):
            freeze_case_mail(
                claimed,
                case,
                subject="",
                text=judged.decision.body,
                reply_to_message_id=judged.reply_target,
                tools=tools,
            )
    return run


def act_on_decision(claimed: Claim, run: AgentRun, tools: Tools) -> None:
    """Applies a frozen decision that sends nothing; a second call finds the lease gone and raises LeaseLost."""
    decision = parse_decision(run.decision)
    outcome: Outcome
    declined = ""
    match decision:
        case GoalAchieved():
            outcome, summary = GoalReached(decision.result), "The goal is achieved."
        case FailedRejected():
            outcome, summary = CounterpartyRefused(decision.reason), f"The counterparty refused: {decision.reason}"
            declined = decision.reason if decision.asks_not_to_be_written_to else ""
        case InputNeeded():
            outcome, summary = HumanAsked(decision.question), f"A human is asked: {decision.question}"
        case Snooze():
            outcome = Snoozed(decision.until)
            summary = f"Put off until {decision.until:%d %B %Y, %H:%M} UTC: {decision.reason}"
        case RequiresReply():
            _leave_unsent(claimed, run, tools)
            return
        case _:
            assert_never(decision)
    heard = run.has_heard_counterparty
    conclude(claimed, outcome, summary, tools, has_heard_counterparty=heard, declined=declined)


def _leave_unsent(claimed: Claim, run: AgentRun, tools: Tools) -> None:
    """An answer that must not leave: no follow-up is left for a nudge, or a question to a human stands."""
    if claimed.kind is EventKind.RECHECK_DUE and not run.has_heard_counterparty:
        conclude(claimed, FollowUpsUsedUp(), "A reminder was due, but every follow-up has been used.", tools)
    else:
        ledger.finish(claimed, "The agent would answer, but the case waits for a human or has ended: nothing was sent.")
