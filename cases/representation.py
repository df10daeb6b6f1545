"""How a case looks to its client, in the API and in webhooks; must not read or write anything but what it is given."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from cases.models import Attachment, Case, InputRequest, to_ms


def represent_attachment(attachment: Attachment) -> dict[str, Any]:
    """Returns one member of `attachments` (docs/api/get-a-case.md)."""
    return {
        "attachmentId": attachment.attachment_id,
        "name": attachment.name,
        "size": attachment.size,
        "type": attachment.type,
        "messageId": attachment.message_id,
        "inboxId": attachment.inbox_id,
        "receivedAt": to_ms(attachment.received_at),
    }


def represent_input_request(request: InputRequest | None) -> dict[str, Any] | None:
    """Returns the `inputRequest` of a case: its newest question, or None when it never had one."""
    if request is None:
        return None
    return {
        "id": str(request.id),
        "question": request.question,
        "status": request.status,
        "requestedAt": to_ms(request.requested_at),
    }


def represent_case(
    case: Case,
    attachments: list[Attachment],
    input_request: InputRequest | None,
    expand: Container[str] = (),
) -> dict[str, Any]:
    """Returns the body of `GET /cases/{id}`; optional inputs that were not given are absent.

    `expand` may name `metadata` and `failureReason`; the latter is then null while nothing has failed.
    """
    counterparty = {"address": case.counterparty_address, "name": case.counterparty_name}
    _add_given(
        counterparty,
        company=case.counterparty_company,
        timezone=case.counterparty_timezone,
        customData=case.counterparty_custom_data,
    )
    persona = {"name": case.persona_name}
    _add_given(persona, role=case.persona_role, company=case.persona_company, tone=case.persona_tone)
    goal: dict[str, Any] = {"objective": case.objective}
    # An empty string is knowledge that was given, where in the other texts it is the same as nothing.
    if case.knowledge is not None:
        goal["knowledge"] = case.knowledge
    body: dict[str, Any] = {"caseId": str(case.id)}
    _add_given(body, clientReferenceId=case.client_reference_id)
    body |= {
        "status": case.status,
        "createdAt": to_ms(case.created_at),
        "updatedAt": to_ms(case.updated_at),
        "nextActionAt": case.get_next_action_ms(),
        "attemptCount": case.attempt_count,
        "maxAttempts": case.max_attempts,
        "channel": case.channel,
        "counterparty": counterparty,
        "attachments": [represent_attachment(attachment) for attachment in attachments],
    }
    _add_given(body, resultStatus=case.result_status, result=case.result)
    body |= {"goal": goal, "senderPersona": persona}
    _add_given(body, resultSchema=case.result_schema, constraints=case.constraints)
    body["inputRequest"] = represent_input_request(input_request)
    if "metadata" in expand:
        _add_given(body, metadata=case.metadata)
    if "failureReason" in expand:
        body["failureReason"] = case.failure_reason or None
    return body


def _add_given(body: dict[str, Any], **members: Any) -> None:
    body.update({name: value for name, value in members.items() if value is not None and value != ""})


def represent_notice(case: Case, attachments: list[Attachment], asked: InputRequest | None) -> dict[str, Any]:
    """Returns the `data` of a client webhook (docs/api/webhooks.md); `asked` only for case.input_needed."""
    data: dict[str, Any] = {"caseId": str(case.id)}
    _add_given(data, clientReferenceId=case.client_reference_id)
    data |= {
        "status": case.status,
        "channel": case.channel,
        "attemptCount": case.attempt_count,
        "attachments": [represent_attachment(attachment) for attachment in attachments],
    }
    _add_given(data, result=case.result, metadata=case.metadata, resultStatus=case.result_status)
    if case.status == "FAILED":
        data["failureReason"] = case.failure_reason or None
    if asked is not None:
        data |= {
            "inputRequest": asked.question,
            "inputRequestId": str(asked.id),
            "inputRequestStatus": asked.status,
            "inputRequestedAt": to_ms(asked.requested_at),
        }
    return data
