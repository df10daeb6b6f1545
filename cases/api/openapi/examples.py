"""The examples of the description, one story told once; must not be written by hand where our own code can say them.

Cases and webhooks are made by `cases.representation` from rows that are never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import QueryDict

from cases.api.errors import InvalidRequest, make_envelope
from cases.api.listing import read_expand, read_listing
from cases.api.serializers import read_answer, read_new_case
from cases.models import Attachment, Case, InputRequest, to_ms
from cases.representation import represent_attachment, represent_case, represent_notice
from cases.workflow import NextAction, Notice, ResultStatus, Status

CASE_ID = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
INPUT_REQUEST_ID = UUID("0b2a7a52-8d0e-4f57-9d5c-3a1f5c1f0a11")
CURSOR = "AAZN4Q8bSACcnmZ5dCVA3pRL4H_B-QrnkSf0mQvWc2k"
OPENED_AT = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
ASKED_AT = datetime(2026, 3, 21, 14, 30, tzinfo=UTC)
ENDED_AT = datetime(2026, 3, 21, 22, 25, tzinfo=UTC)

NEW_CASE: dict[str, Any] = {
    "channel": "EMAIL",
    "goal": {
        "objective": "Collect a signed W-9 from Maya at Northstar",
        "knowledge": {"vendorNumber": "V-1042", "private": "We would accept the form without a signature too."},
    },
    "counterparty": {
        "address": "maya@northstar.example",
        "name": "Maya Lindqvist",
        "company": "Northstar",
        "timezone": "Europe/Stockholm",
    },
    "senderPersona": {"name": "Ana Reyes", "role": "Accounts Payable", "company": "Acme", "tone": "friendly, brief"},
    "clientReferenceId": "vendor-1042",
    "constraints": ["Do not mention payment terms."],
    "maxAttempts": 3,
    "followUpDelayHours": 72,
    "resultSchema": {
        "type": "object",
        "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
        "required": ["legalName", "taxId"],
    },
    "clientWebhookUrl": "https://example.com/hooks/offload",
    "metadata": {"costCentre": "4711"},
}
SMALLEST_NEW_CASE: dict[str, Any] = {
    "channel": "EMAIL",
    "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
    "counterparty": {"address": "maya@northstar.example", "name": "Maya Lindqvist"},
    "senderPersona": {"name": "Ana Reyes"},
}
PROVIDED_INPUT = {"inputRequestId": str(INPUT_REQUEST_ID), "providedContext": "Northstar LLC, for the year 2026."}
ACCEPTED_INPUT = {"caseId": str(CASE_ID), "inputRequestId": str(INPUT_REQUEST_ID), "accepted": True}
OPENED_CASE = {"caseId": str(CASE_ID), "status": str(Status.CREATED)}
CANCELLED_CASE = {"caseId": str(CASE_ID), "status": str(Status.FAILED)}
TRANSCRIPT = (
    "From: Ana Reyes <acme@agentmail.to>\nDate: 2026-03-20 09:00 UTC\nSubject: Signed W-9\n\n"
    "Hello Maya,\n\ncould you send us a signed W-9?"
)


def _make_case(**state: Any) -> Case:
    """Returns the case of NEW_CASE; `state` is what has become of it."""
    counterparty, persona = NEW_CASE["counterparty"], NEW_CASE["senderPersona"]
    return Case(
        id=CASE_ID,
        objective=NEW_CASE["goal"]["objective"],
        knowledge=NEW_CASE["goal"]["knowledge"],
        counterparty_address=counterparty["address"],
        counterparty_name=counterparty["name"],
        counterparty_company=counterparty["company"],
        counterparty_timezone=counterparty["timezone"],
        persona_name=persona["name"],
        persona_role=persona["role"],
        persona_company=persona["company"],
        persona_tone=persona["tone"],
        client_reference_id=NEW_CASE["clientReferenceId"],
        constraints=NEW_CASE["constraints"],
        max_attempts=NEW_CASE["maxAttempts"],
        follow_up_delay_hours=NEW_CASE["followUpDelayHours"],
        result_schema=NEW_CASE["resultSchema"],
        metadata=NEW_CASE["metadata"],
        attempt_count=1,
        created_at=OPENED_AT,
        **state,
    )


RUNNING = _make_case(
    status=Status.RUNNING,
    next_action=NextAction.FOLLOW_UP,
    next_action_at=datetime(2026, 3, 23, 9, 0, tzinfo=UTC),
    updated_at=OPENED_AT,
)
ASKING = _make_case(status=Status.INPUT_NEEDED, updated_at=ASKED_AT)
COMPLETED = _make_case(
    status=Status.COMPLETED,
    result_status=ResultStatus.GOAL_ACHIEVED,
    result={"legalName": "Northstar LLC", "taxId": "12-3456789"},
    updated_at=ENDED_AT,
)
FAILED = _make_case(
    status=Status.FAILED,
    result_status=ResultStatus.MAX_RETRIES,
    failure_reason="The counterparty did not answer, and every follow-up was used.",
    updated_at=ENDED_AT,
)
QUESTION = InputRequest(
    id=INPUT_REQUEST_ID,
    question="Maya asks which of the two companies the form is for, and for which tax year.",
    requested_at=ASKED_AT,
)
FORM = Attachment(
    attachment_id="att_01J8Z3K4W9",
    name="w9-signed.pdf",
    size=48213,
    type="application/pdf",
    message_id="<CAF3x9@mail.northstar.example>",
    inbox_id="acme@agentmail.to",
    received_at=ENDED_AT,
)
ATTACHMENT_LINK = represent_attachment(FORM) | {
    "downloadUrl": "https://files.example.com/w9-signed.pdf?signature=f00d",
    "expiresAt": "2026-03-21T23:25:00.000Z",
}

CASES = {
    "Running": represent_case(RUNNING, [], None),
    "Waiting for a human": represent_case(ASKING, [], QUESTION),
    "Completed": represent_case(COMPLETED, [FORM], None),
    "With everything": represent_case(FAILED, [], None, ("metadata", "failureReason"))
    | {"conversationThread": TRANSCRIPT},
}
CASE_PAGE = {"cases": [CASES["Completed"]], "nextCursor": CURSOR}


def _make_event(notice: Notice, case: Case, attachments: list[Attachment], asked: InputRequest | None) -> Any:
    updated_ms = to_ms(case.updated_at)
    return {
        "event_id": f"evt_{case.id}_{notice.replace('.', '_')}_{updated_ms}",
        "event_type": str(notice),
        "timestamp": updated_ms,
        "data": represent_notice(case, attachments, asked),
    }


EVENTS: dict[Notice, Any] = {
    Notice.COMPLETED: _make_event(Notice.COMPLETED, COMPLETED, [FORM], None),
    Notice.FAILED: _make_event(Notice.FAILED, FAILED, [], None),
    Notice.INPUT_NEEDED: _make_event(Notice.INPUT_NEEDED, ASKING, [], QUESTION),
}


# -- What is refused


def _refuse(read: Callable[[], object]) -> dict[str, Any]:
    try:
        read()
    except InvalidRequest as refusal:
        return make_envelope(refusal.code, refusal.message, refusal.details)
    raise AssertionError("the example of a bad request is a good one")


BAD_NEW_CASE = NEW_CASE | {"counterparty": {"address": "Maya <maya@northstar.example>"}, "maxAttempts": -1}
INVALID_NEW_CASE = _refuse(lambda: read_new_case(BAD_NEW_CASE))
INVALID_INPUT = _refuse(lambda: read_answer({"inputRequestId": str(INPUT_REQUEST_ID), "providedContext": " "}))
INVALID_LISTING = _refuse(lambda: read_listing(QueryDict("limit=1000&status=DONE")))
INVALID_READING = _refuse(lambda: read_expand(QueryDict("expand=result")))
