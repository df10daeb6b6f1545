"""Has the agent judge a thread, freezes the decision, and acts on it; what a mail says never becomes an instruction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from django.db import transaction

from agentmail.inbound import AutomaticKind
from agentmail.reading import MailMessage, ThreadView, read_thread
from cases import ledger
from cases.agent.decisions import (
    Decision,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    RequiresReply,
    Snooze,
    check_snooze,
    parse_decision,
)
from cases.agent.evidence import check_evidence
from cases.agent.protocol import AgentUnusable, CaseView, Reason, RunAudit
from cases.agent.schema import ResultSchema, compile_result_schema
from cases.coverage import list_answered_ids, list_seen_ids
from cases.handlers.briefing import build_view
from cases.handlers.drafting import find_reply_target
from cases.handlers.ending import conclude
from cases.handlers.live_mail import keep_live_mail
from cases.handlers.runs import freeze_case_mail, store_run
from cases.handlers.seen import UNREADABLE_VARIANTS, is_person
from cases.handlers.sending import send_frozen_mail
from cases.handlers.tools import Tools, release_connection
from cases.ledger import Claim
from cases.models import AgentRun, Case
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

EVALUATE = "evaluate"
REASONS: dict[EventKind, Reason] = {
    EventKind.REPLY_RECEIVED: "reply",
    EventKind.INPUT_PROVIDED: "input",
    EventKind.RECHECK_DUE: "recheck",
}
# What stands as the author where code decides before or instead of the agent.
RULES = RunAudit(
    implementation="rules",
    model_asked="",
    model_answered="",
    prompt_version="",
    prompt_hash="",
    tokens_in=0,
    tokens_out=0,
    cost_usd=None,
    latency_ms=0,
    reasks=(),
    guard_hits=(),
    message_ids=(),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with what it rests on; `unread` are the mails from people that no earlier evaluation has covered."""

    decision: Decision
    audit: RunAudit
    view: CaseView
    unread: tuple[MailMessage, ...]
    answered_ids: tuple[str, ...]
    reply_target: str


def evaluate(claimed: Claim, case: Case, tools: Tools) -> None:
    """Judges the thread once and acts on the decision.

    Raises LeaseLost, AgentTemporary or AgentMisconfigured; nothing is frozen then, and the event is tried again.
    """
    release_connection()
    thread = read_thread(case.id, client=tools.mail)
    keep_live_mail(thread, tools)
    seen = list_seen_ids(case.id)
    unread = tuple(m for m in thread.messages if is_person(m) and m.message_id not in seen.message_ids)
    trigger = next((m for m in thread.messages if m.message_id == claimed.payload.get("message_id")), None)
    if claimed.kind is EventKind.REPLY_RECEIVED and not unread and not _is_absence(trigger):
        _leave_unevaluated(claimed, trigger, thread, tools)
        return
    # Before the view that covers them: an answer that comes in between is left to its own event.
    answered_ids = list_answered_ids(case)
    view = build_view(
        case,
        thread.messages,
        REASONS[claimed.kind],
        case.get_now(tools.read_clock()),
        new_message_ids=tuple(message.message_id for message in unread),
    )
    last_word = next((message for message in reversed(thread.messages) if is_person(message)), None)
    is_vouched = last_word is not None and _is_vouched(case, last_word)
    release_connection()
    decision, audit = _judge(view, last_word, tools, is_vouched=is_vouched)
    if claimed.kind is EventKind.REPLY_RECEIVED and not unread and not isinstance(decision, Snooze):
        ledger.finish(claimed, "An automatic mail arrived without a date to wait for; it is no answer and gets none.")
        return
    judgement = Judgement(decision, audit, view, unread, answered_ids, find_reply_target(thread.messages))
    run = _freeze(claimed, judgement, tools)
    if run.mail_kind:
        send_frozen_mail(claimed, MailKind(run.mail_kind), tools)
    else:
        act_on_decision(claimed, run, tools)


def _is_absence(trigger: MailMessage | None) -> bool:
    return trigger is not None and trigger.automatic == AutomaticKind.OUT_OF_OFFICE


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
    if trigger.automatic != AutomaticKind.NONE:
        return "An automatic mail arrived; it is no answer and gets none."
    return "An earlier evaluation had already seen this mail."


def _is_vouched(case: Case, message: MailMessage) -> bool:
    """Whether a human of ours has answered a question that was asked with this mail in view."""
    arrived_at = case.get_time_of(message.sent_at)
    return case.input_requests.exclude(answer="").filter(requested_at__gt=arrived_at).exists()


def _judge(
    view: CaseView, last_word: MailMessage | None, tools: Tools, *, is_vouched: bool
) -> tuple[Decision, RunAudit]:
    if last_word is not None and last_word.variant == "unauthenticated" and not is_vouched:
        question = (
            f"A mail that names {last_word.from_name or last_word.from_address} as its sender arrived, but the mail "
            "provider could not prove where it came from. Read it in the case. If it is genuine, say what should "
            "happen next; if it is not, say so."
        )
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale="The sender is not proven."), RULES
    try:
        outcome = tools.agent.evaluate(view)
    except AgentUnusable as error:
        question = f"The agent could not judge this thread: {error.reason} Read it and say what should happen next."
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale=error.reason), RULES
    limited, reason = limit_decision(outcome.value, view, is_vouched=is_vouched, now=view.now)
    audit = replace(outcome.audit, guard_hits=(*outcome.audit.guard_hits, reason)) if reason else outcome.audit
    return limited, audit


def limit_decision(decision: Decision, view: CaseView, *, is_vouched: bool, now: datetime) -> tuple[Decision, str]:
    """Returns the decision, or a question to a human where code does not let it stand, with the reason.

    A verdict ends a case only on a word from the counterparty, or one that a human of ours has vouched for; a
    result satisfies the schema; a snooze lies ahead and within its limit.
    """
    if isinstance(decision, GoalAchieved | FailedRejected):
        last = next((m for m in reversed(view.thread) if m.sender != "us" and not m.is_automatic), None)
        if last is not None and last.sender == "other" and not is_vouched:
            return _ask(f"{last.sender_name} answered instead of {view.counterparty_name}. Does their word count?")
        if last is None and not view.human_answers:
            return _ask("The agent wants to end this case, but nobody has answered yet. What should happen?")
    if isinstance(decision, GoalAchieved):
        compiled = compile_result_schema(view.result_schema) if view.result_schema is not None else None
        faults = compiled.validate(decision.result) if isinstance(compiled, ResultSchema) else []
        fields = compiled.fields if compiled is not None else ()
        if faults:
            return _ask(
                f"{view.counterparty_name} seems to have answered, but the result does not fit what was asked for: "
                f"{'; '.join(faults[:3])}. What are the right values?"
            )
        unproven = check_evidence(decision.result, decision.evidence, view, fields)
        if unproven:
            return _ask(
                f"{view.counterparty_name} seems to have answered, but this could not be found in what they wrote: "
                f"{'; '.join(unproven[:3])}. Read the conversation: what are the right values?"
            )
    if isinstance(decision, Snooze) and (fault := check_snooze(decision.until, now)):
        return _ask(f"{view.counterparty_name} asks for time, but {fault}. When should Offload look again?")
    return decision, ""


def _ask(question: str) -> tuple[InputNeeded, str]:
    rationale = "Code does not let the agent's decision stand."
    return InputNeeded(kind="INPUT_NEEDED", question=question, rationale=rationale), question


def _freeze(claimed: Claim, judged: Judgement, tools: Tools) -> AgentRun:
    """Stores the decision and, where it may be sent, its mail, in one fenced transaction."""
    with transaction.atomic():
        case = lock_case(claimed.case_id)
        ledger.fence(claimed)
        mail_kind = None
        if isinstance(judged.decision, RequiresReply):
            is_nudge = claimed.kind is EventKind.RECHECK_DUE and not judged.unread
            wanted = MailKind.NUDGE if is_nudge else MailKind.REPLY
            mail_kind = wanted if may_send(case.get_state(), wanted) else None
        run = store_run(
            claimed,
            EVALUATE,
            judged.decision.model_dump(mode="json"),
            judged.decision.rationale,
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
    match decision:
        case GoalAchieved():
            outcome, summary = GoalReached(decision.result), "The goal is achieved."
        case FailedRejected():
            outcome, summary = CounterpartyRefused(decision.reason), f"The counterparty refused: {decision.reason}"
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
    conclude(claimed, outcome, summary, tools, has_heard_counterparty=run.has_heard_counterparty)


def _leave_unsent(claimed: Claim, run: AgentRun, tools: Tools) -> None:
    """An answer that must not leave: no follow-up is left for a nudge, or a question to a human stands."""
    if claimed.kind is EventKind.RECHECK_DUE and not run.has_heard_counterparty:
        conclude(claimed, FollowUpsUsedUp(), "A reminder was due, but every follow-up has been used.", tools)
    else:
        ledger.finish(claimed, "The agent would answer, but the case waits for a human or has ended: nothing was sent.")
