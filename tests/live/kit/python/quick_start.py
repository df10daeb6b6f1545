"""Hands one case over, answers its question, takes its result, and cancels another; needs the generated client."""

import os
import time
import uuid
from typing import TypeVar

from offload_client import AuthenticatedClient
from offload_client.api.attachments import get_attachment
from offload_client.api.cases import cancel_case, create_case, get_case, list_cases
from offload_client.api.human_input import provide_input
from offload_client.models import (
    Case,
    CaseStatus,
    Channel,
    ErrorAnswer,
    InputRequestStatus,
    JsonObject,
    NewCase,
    NewCaseCounterparty,
    NewCaseGoal,
    NewCaseSenderPersona,
    ProvidedInput,
)
from offload_client.types import Unset

T = TypeVar("T")
client = AuthenticatedClient(
    base_url=os.environ["OFFLOAD_URL"].rstrip("/"),
    token=os.environ["OFFLOAD_KEY"],
    prefix="",
    auth_header_name="x-api-key",
    raise_on_unexpected_status=True,
)


def expect(answer: T | ErrorAnswer | None) -> T:
    """Returns the answer unless it is an error; `code` is for programs, `message` for people."""
    if isinstance(answer, ErrorAnswer):
        raise SystemExit(f"{answer.error.code}: {answer.error.message}")
    assert answer is not None
    return answer


def hand_over(reference: str) -> uuid.UUID:
    """Returns the id of a case that asks Maya for a form. A lost answer may be repeated with the same key."""
    body = NewCase(
        channel=Channel.EMAIL,
        goal=NewCaseGoal(objective="Collect a signed W-9 from Maya at Northstar"),
        counterparty=NewCaseCounterparty(address=f"maya-{uuid.uuid4()}@northstar.example", name="Maya Lindqvist"),
        sender_persona=NewCaseSenderPersona(name="Ana Reyes", role="Accounts Payable", company="Acme"),
        client_reference_id=reference,
        result_schema=JsonObject.from_dict(
            {
                "type": "object",
                "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
                "required": ["legalName", "taxId"],
            }
        ),
    )
    return expect(create_case.sync(client=client, body=body, idempotency_key=str(uuid.uuid4()))).data.case_id


def see_through(case_id: uuid.UUID) -> Case:
    """Returns the case once it has ended; answers each of its questions on the way."""
    answered = set()
    while True:
        case = expect(get_case.sync(case_id, client=client)).data
        if case.status in (CaseStatus.COMPLETED, CaseStatus.FAILED):
            return case
        asked = case.input_request
        if asked and asked.status == InputRequestStatus.PENDING and asked.id not in answered:
            print("asked:", asked.question)
            body = ProvidedInput(input_request_id=str(asked.id), provided_context="For Northstar Logistics LLC.")
            expect(provide_input.sync(case_id, client=client, body=body))
            answered.add(asked.id)
        time.sleep(1)


reference = f"vendor-{uuid.uuid4()}"
case_id = hand_over(reference)
print("handed over:", case_id, flush=True)

# Meanwhile Maya asks and answers.
case = see_through(case_id)
print("ended:", case.status, case.result_status)
if not isinstance(case.result, Unset):
    print("result:", case.result["legalName"], case.result["taxId"])
for file in case.attachments:
    link = expect(get_attachment.sync(case_id, file.attachment_id, client=client)).data
    print("file:", link.name, link.size, link.download_url)

listed = expect(list_cases.sync(client=client, client_reference_id=reference, status=[CaseStatus.COMPLETED])).data
print("listed:", *(one.case_id for one in listed.cases))

print("cancelled:", expect(cancel_case.sync(hand_over(reference), client=client)).data.status)

refusal = get_case.sync(uuid.uuid4(), client=client)
assert isinstance(refusal, ErrorAnswer)
print("refused:", refusal.error.code)
