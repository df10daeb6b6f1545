"""Has the agent judge a thread, freezes the decision, and acts on it; what a mail says never becomes an instruction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from django.db import transaction

from agentmail.inbound import AutomaticKind
from agentmail.reading import MailMessage, read_thread
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
from cases.agent.protocol import AgentUnusable, CaseView, Reason, RunAudit
from cases.agent.schema import ResultSchema, compile_result_schema
from cases.handlers.briefing import build_view
from cases.handlers.drafting import find_reply_target
from cases.handlers.ending import conclude
from cases.handlers.runs import freeze_case_mail, store_run
from cases.handlers.seen import UNREADABLE_VARIANTS, is_person, list_seen_ids
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
    seen = list_seen_ids(case.id)
    unread = tuple(m for m in thread.messages if is_person(m) and m.message_id not in seen.message_ids)
    trigger = next((m for m in thread.messages if m.message_id == claimed.payload.get("message_id")), None)
    if claimed.kind is EventKind.REPLY_RECEIVED and not unread and not _is_absence(trigger):
        ledger.finish(claimed, _describe_unanswerable(trigger))
        return
    view = build_view(
        case,
        thread.messages,
        REASONS[claimed.kind],
        case.get_now(tools.read_clock()),
        new_message_ids=tuple(message.message_id for message in unread),
    )
    answered_ids = tuple(str(pk) for pk in case.input_requests.exclude(answer="").values_list("id", flat=True))
    release_connection()
    decision, audit = _judge(view, unread, tools)
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


def _describe_unanswerable(trigger: MailMessage | None) -> str:
    if trigger is None:
        return "The mail was read together with an earlier one."
    if trigger.variant in UNREADABLE_VARIANTS:
        return f"The mail provider held this mail back as {trigger.variant}; it was not evaluated."
    if trigger.automatic != AutomaticKind.NONE:
        return "An automatic mail arrived; it is no answer and gets none."
    return "An earlier evaluation had already seen this mail."


def _judge(view: CaseView, unread: tuple[MailMessage, ...], tools: Tools) -> tuple[Decision, RunAudit]:
    unproven = next((m for m in unread if m.variant == "unauthenticated"), None)
    if unproven is not None:
        question = (
            f"A mail that names {unproven.from_name or unproven.from_address} as its sender arrived, but the mail "
            "provider could not prove where it came from. Read it in the case. If it is genuine, say what should "
            "happen next; if it is not, say so."
        )
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale="The sender is not proven."), RULES
    try:
        outcome = tools.agent.evaluate(view)
    except AgentUnusable as error:
        question = f"The agent could not judge this thread: {error.reason} Read it and say what should happen next."
        return InputNeeded(kind="INPUT_NEEDED", question=question, rationale=error.reason), RULES
    limited, reason = limit_decision(outcome.value, view, has_new_word=bool(unread), now=view.now)
    audit = replace(outcome.audit, guard_hits=(*outcome.audit.guard_hits, reason)) if reason else outcome.audit
    return limited, audit


def limit_decision(decision: Decision, view: CaseView, *, has_new_word: bool, now: datetime) -> tuple[Decision, str]:
    """Returns the decision, or a question to a human where code does not let it stand, with the reason.

    A verdict ends a case only on a word from the counterparty or a human of ours; a result satisfies the
    schema; a snooze lies ahead and within its limit.
    """
    if isinstance(decision, GoalAchieved | FailedRejected):
        last = next((m for m in reversed(view.thread) if m.sender != "us" and not m.is_automatic), None)
        if last is not None and last.sender == "other" and has_new_word:
            return _ask(f"{last.sender_name} answered instead of {view.counterparty_name}. Does their word count?")
        if last is None and not view.human_answers:
            return _ask("The agent wants to end this case, but nobody has answered yet. What should happen?")
    if isinstance(decision, GoalAchieved):
        compiled = compile_result_schema(view.result_schema) if view.result_schema is not None else None
        faults = compiled.validate(decision.result) if isinstance(compiled, ResultSchema) else []
        if faults:
            return _ask(
                f"{view.counterparty_name} seems to have answered, but the result does not fit what was asked for: "
                f"{'; '.join(faults[:3])}. What are the right values?"
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
        ledger.finish(claimed, "The agent would answer, but the case waits for a human: nothing was sent.")
