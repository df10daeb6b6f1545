"""A case about a W-9, its mails and its schema, for every test of the agent; must not hold expectations."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cases.agent.protocol import AttachmentView, CaseView, HumanAnswer, Persona, Sender, ThreadMessage

# A Tuesday.
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
W9_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["legalName", "ein", "taxClassification"],
    "additionalProperties": False,
    "properties": {
        "legalName": {"type": "string", "description": "As shown on the income tax return"},
        "ein": {"type": "string", "title": "EIN", "pattern": r"^\d{2}-\d{7}$"},
        "taxClassification": {"enum": ["sole_proprietor", "partnership", "s_corporation", "LLC"]},
    },
}
W9_LINES = "Legal name: Northstar LLC\nEIN: 12-3456789\nTax classification: LLC"
W9_RESULT = {"legalName": "Northstar LLC", "ein": "12-3456789", "taxClassification": "LLC"}


def build_view(**changes: Any) -> CaseView:
    """Returns the W-9 case; `changes` replace its members."""
    members: dict[str, Any] = {
        "objective": "Collect a signed W-9 from Maya at Northstar",
        "counterparty_name": "Maya Lin",
        "counterparty_company": "Northstar Supplies",
        "timezone": "Europe/Berlin",
        "persona": Persona("Alex Kim", "Accounts Payable", "Acme"),
        "now": NOW,
        "reason": "reply",
        "knowledge": {
            "deadline": "2026-12-15",
            "poNumber": "PO-4711",
            "why": "The IRS requires it before the first payment.",
        },
        "private_knowledge": {"budget": 3200, "note": "Project Falcon is secret"},
        "result_schema": W9_SCHEMA,
    }
    return CaseView(**{**members, **changes})


def our_mail(
    text: str = "Could you please send me a signed W-9?", *, days_ago: float = 5, number: int = 1
) -> ThreadMessage:
    """Returns a mail of ours."""
    sent_at = NOW - timedelta(days=days_ago)
    return ThreadMessage(f"<us-{number}@acme>", "us", "Alex Kim", sent_at, "Signed W-9 for Acme", text)


def their_mail(
    text: str,
    *,
    days_ago: float = 1,
    number: int = 1,
    files: tuple[str, ...] = (),
    sender: Sender = "counterparty",
    name: str = "Maya Lin",
    automatic: str = "",
    subject: str = "Re: Signed W-9 for Acme",
) -> ThreadMessage:
    """Returns a mail that came in; `automatic` is agentmail's word for a machine's."""
    message_id = f"<them-{number}@northstar>"
    return ThreadMessage(
        message_id=message_id,
        sender=sender,
        sender_name=name,
        sent_at=NOW - timedelta(days=days_ago),
        subject=subject,
        text=text,
        is_automatic=bool(automatic),
        automatic_kind=automatic or "none",
        attachments=tuple(AttachmentView(file, "application/pdf", 1000, message_id) for file in files),
    )


def replied(text: str, *, files: tuple[str, ...] = (), **changes: Any) -> CaseView:
    """Returns the case after our outreach and one reply."""
    return build_view(thread=(our_mail(), their_mail(text, files=files)), **changes)


def answered(text: str, answer: str, **changes: Any) -> CaseView:
    """Returns the case after a reply, our question to a human, and the human's answer."""
    answers = (HumanAnswer("How should I go on?", answer, NOW),)
    return build_view(thread=(our_mail(), their_mail(text)), human_answers=answers, reason="input", **changes)
