"""Has the agent write an outreach or a follow-up, freezes it, and sends it; must not let mail choose the recipient."""

from __future__ import annotations

from django.db import transaction

from agentmail.reading import MailMessage, ThreadView, read_thread
from cases import ledger
from cases.agent.decisions import InputNeeded
from cases.agent.protocol import AgentUnusable, Draft, Outcome, Reason
from cases.coverage import list_answered_ids, list_requests
from cases.handlers.briefing import compose_view
from cases.handlers.budget import MeteredAgent
from cases.handlers.ending import conclude
from cases.handlers.limiting import limit_draft
from cases.handlers.runs import RULES, freeze_case_mail, store_run
from cases.handlers.seen import is_person
from cases.handlers.sending import describe_closed_address, find_closed_address, send_frozen_mail
from cases.handlers.tools import Tools, release_connection
from cases.ledger import Claim
from cases.models import Case
from cases.transitions import lock_case
from cases.workflow import HumanAsked, MailKind, SendRefused


def draft_and_send(claimed: Claim, case: Case, kind: MailKind, thread: ThreadView | None, tools: Tools) -> None:
    """Drafts once, freezes the text, then sends it; an agent that does not know asks a human instead.

    Raises LeaseLost, AgentTemporary or AgentMisconfigured; nothing is frozen then, and the event is tried again.
    """
    closed = find_closed_address(case)
    if closed is not None:
        # Looked at again, under the case's lock, before every attempt to send; here it saves a draft.
        conclude(claimed, SendRefused(describe_closed_address(case, closed)), closed.value, tools)
        return
    if thread is None and case.thread_id:
        release_connection()
        thread = read_thread(case.id, client=tools.mail)
    messages = thread.messages if thread else ()
    requests = list_requests(case)
    reason: Reason = "outreach" if kind is MailKind.OUTREACH else "follow_up"
    view = compose_view(case, requests, messages, reason, case.get_now(tools.read_clock()))
    agent = MeteredAgent(tools.agent, case, tools)
    try:
        outcome = agent.draft_outreach(view) if kind is MailKind.OUTREACH else agent.draft_follow_up(view)
    except AgentUnusable as error:
        question = f"The agent could not write this message: {error.reason} What should be written to them?"
        outcome = Outcome(
            InputNeeded(kind="INPUT_NEEDED", question=question, rationale=error.reason), error.audit or RULES
        )
    limited = limit_draft(outcome, view)
    value, audit = limited.value, limited.audit
    agent.count_limits(audit)
    # The decision and its mail are frozen together: a second worker repeats them and never thinks twice.
    with transaction.atomic():
        locked = lock_case(case.id)
        ledger.fence(claimed)
        store_run(
            claimed,
            kind.value,
            value.to_json() if isinstance(value, Draft) else value.model_dump(mode="json"),
            value.rationale,
            audit,
            tools,
            mail_kind=kind if isinstance(value, Draft) else None,
            input_request_ids=list(list_answered_ids(requests)),
        )
        if isinstance(value, Draft):
            freeze_case_mail(
                claimed,
                locked,
                subject=value.subject,
                text=value.body,
                reply_to_message_id=find_reply_target(messages),
                tools=tools,
            )
    if isinstance(value, Draft):
        send_frozen_mail(claimed, kind, tools)
    else:
        conclude(claimed, HumanAsked(value.question), f"The agent asks a human: {value.question}", tools)


def find_reply_target(messages: tuple[MailMessage, ...]) -> str:
    """Returns the message id to reply to: the newest mail from a person, else our newest, else "" for a new thread."""
    for message in reversed(messages):
        if is_person(message):
            return message.message_id
    return next((message.message_id for message in reversed(messages) if message.direction == "outbound"), "")
