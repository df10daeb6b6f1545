"""Schemas of what the API answers and sends; must name every member that `cases.representation` gives.

Objects are open, and so are the codes of errors: a client that is generated from here has to live with a member and a
code that come later. The tests close both before they compare, so that what nobody described is found.
"""

from __future__ import annotations

from typing import Any

from cases.api.errors import MAX_DETAILS
from cases.api.listing import EXPANDABLE
from cases.api.openapi.fields import ANY_OBJECT, CHANNEL, TEXT_MAP, TEXT_OR_OBJECT, TIME_ZONE
from cases.models import NOTHING_SCHEDULED_MS, InputRequest
from cases.workflow import Notice, ResultStatus, Status

Schema = dict[str, Any]

UUID: Schema = {"type": "string", "format": "uuid"}
COUNT: Schema = {"type": "integer", "format": "int32", "minimum": 0}
TEXT: Schema = {"type": "string"}


def refer(name: str) -> Schema:
    """Returns a reference to a component of ours."""
    return {"$ref": f"#/components/schemas/{name}"}


def describe(schema: Schema, about: str) -> Schema:
    """Returns `schema` with its meaning in this place."""
    return schema | {"description": about}


def make_object(about: str, members: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """Returns an open object in which every listed member is required but the `optional` ones."""
    return {
        "type": "object",
        "description": about,
        "properties": members,
        "required": [name for name in members if name not in optional],
    }


def describe_codes(codes: list[str]) -> Schema:
    """Returns the schema of an error's code: any text, as codes may be added; `x-error-codes` lists the known ones."""
    return TEXT | {"examples": codes, "x-error-codes": codes}


def make_envelope(data: str) -> Schema:
    """Returns the answer around the component `data`."""
    return make_object("A success.", {"ok": {"type": "boolean", "const": True}, "data": refer(data)})


def list_schemas(error_codes: list[str]) -> dict[str, Schema]:
    """Returns the components by name; those of request bodies are drf-spectacular's."""
    return _list_parts() | _list_answers() | _list_errors(error_codes) | _list_events()


def _list_parts() -> dict[str, Schema]:
    return {
        "Timestamp": {
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "description": "Unix milliseconds.",
            "examples": [1774131900000],
        },
        "JsonObject": {
            "type": "object",
            "additionalProperties": True,
            "description": "An object of yours: any members. Their order is not kept.",
        },
        "Channel": {"type": "string", "enum": ["EMAIL", "SMS"], "description": "How the person is written to."},
        "ExpandableMember": {
            "type": "string",
            "enum": sorted(EXPANDABLE),
            "description": "A member that a case has only when it is asked for.",
        },
        "InputRequestStatus": {"type": "string", "enum": [InputRequest.PENDING, InputRequest.RESOLVED]},
        "CaseStatus": {
            "type": "string",
            "enum": [str(status) for status in Status],
            "description": (
                "`CREATED`: stored, nothing sent yet. `RUNNING`: the first message went out, and replies and "
                "follow-ups are taken care of. `INPUT_NEEDED`: waits for a human's answer. `COMPLETED`: the goal is "
                "achieved. `FAILED`: ended without it. Nothing leaves `COMPLETED` and `FAILED`."
            ),
        },
        "ResultStatus": {
            "type": "string",
            "description": "How the case ended. Open: be ready for values that you do not know.",
            "examples": [str(status) for status in ResultStatus],
        },
        "Goal": make_object(
            "The goal as it was given; answers of humans do not change it.",
            {"objective": TEXT, "knowledge": TEXT_OR_OBJECT},
            optional=("knowledge",),
        ),
        "Counterparty": make_object(
            "The person who is written to.",
            {
                "address": {"type": "string", "format": "email"},
                "name": TEXT,
                "company": TEXT,
                "timezone": TIME_ZONE,
                "customData": TEXT_MAP,
            },
            optional=("company", "timezone", "customData"),
        ),
        "SenderPersona": make_object(
            "Who signs the mails.",
            {"name": TEXT, "role": TEXT, "company": TEXT, "tone": TEXT},
            optional=("role", "company", "tone"),
        ),
        "InputRequest": make_object(
            "An input request: a question to a human on your side.",
            {
                "id": describe(UUID, "Goes into `inputRequestId` of the answer."),
                "question": TEXT,
                "status": refer("InputRequestStatus"),
                "requestedAt": refer("Timestamp"),
            },
        ),
        "Attachment": make_object("A file that came with a mail, without its content.", _list_attachment_members()),
    }


def _list_attachment_members() -> Schema:
    return {
        "attachmentId": describe(TEXT, "The mail provider's id. Percent-encode it in a path: it may hold a slash."),
        "name": describe(TEXT, "The file name that the sender chose. Do not trust it."),
        "size": {"type": "integer", "format": "int64", "minimum": 0, "description": "Bytes."},
        "type": describe(TEXT, "The media type that the sender claims."),
        "messageId": TEXT,
        "inboxId": TEXT,
        "receivedAt": refer("Timestamp"),
    }


def _list_answers() -> dict[str, Schema]:
    return {
        "OpenedCase": make_object(
            "A case that was stored.", {"caseId": UUID, "status": {"type": "string", "const": str(Status.CREATED)}}
        ),
        "Case": _describe_case(),
        "CasePage": make_object(
            "One page of your cases, newest first.",
            {
                "cases": {"type": "array", "items": refer("Case")},
                "nextCursor": {
                    "type": ["string", "null"],
                    "description": "The `cursor` of the next page; `null` on the last one.",
                },
            },
        ),
        "CancelledCase": make_object(
            "A case that was cancelled.", {"caseId": UUID, "status": {"type": "string", "const": str(Status.FAILED)}}
        ),
        "AcceptedInput": make_object(
            "An answer that was stored and queued.",
            {"caseId": UUID, "inputRequestId": UUID, "accepted": {"type": "boolean", "const": True}},
        ),
        "AttachmentLink": make_object(
            "A file with a link to its content.",
            _list_attachment_members()
            | {
                "downloadUrl": {
                    "type": "string",
                    "format": "uri",
                    "description": "At the mail provider's host, for about an hour. Use it at once; do not store it.",
                },
                "expiresAt": {
                    "type": "string",
                    "format": "date-time",
                    "pattern": "Z$",
                    "description": "When the link ends: ISO 8601, UTC.",
                },
            },
        ),
    }


def _describe_case() -> Schema:
    members = {
        "caseId": UUID,
        "clientReferenceId": describe(TEXT, "Your own id. Absent when none was given."),
        "status": refer("CaseStatus"),
        "createdAt": refer("Timestamp"),
        "updatedAt": refer("Timestamp"),
        "nextActionAt": {
            **refer("Timestamp"),
            "description": f"When Offload acts next by itself; {NOTHING_SCHEDULED_MS} while nothing is scheduled.",
        },
        "attemptCount": describe(COUNT, "Every message that went out, answers in the thread included."),
        "maxAttempts": describe(COUNT, "Automated follow-ups that are allowed after the first message."),
        "channel": CHANNEL,
        "counterparty": refer("Counterparty"),
        "attachments": {"type": "array", "items": refer("Attachment")},
        "resultStatus": {**refer("ResultStatus"), "description": "How the case ended. Absent until it has."},
        "result": describe(ANY_OBJECT, "What the case brought, after `resultSchema`. Absent until there is one."),
        "goal": refer("Goal"),
        "senderPersona": refer("SenderPersona"),
        "resultSchema": describe(ANY_OBJECT, "As it was given. Absent when none was given."),
        "constraints": {
            "type": "array",
            "items": TEXT,
            "description": "As they were given. Absent when none were given.",
        },
        "inputRequest": {
            "oneOf": [refer("InputRequest"), {"type": "null"}],
            "description": (
                "The newest input request of the case; `null` while it never had one. While the case is "
                "`INPUT_NEEDED` it is the active one, which can be answered while it is `PENDING`."
            ),
        },
        "metadata": describe(ANY_OBJECT, "Only with `expand=metadata`, and only when it was given."),
        "failureReason": {
            "type": ["string", "null"],
            "description": "Only with `expand=failureReason`; `null` while nothing has failed.",
        },
        "conversationThread": {
            "type": ["string", "null"],
            "description": (
                "Only with `includeTranscript=true`: the conversation as plain text; `null` while there is none."
            ),
        },
    }
    optional = (
        "clientReferenceId",
        "resultStatus",
        "result",
        "resultSchema",
        "constraints",
        "metadata",
        "failureReason",
        "conversationThread",
    )
    return make_object("A case. What was not given is absent.", members, optional=optional)


def _list_errors(codes: list[str]) -> dict[str, Schema]:
    fault = make_object(
        "One fault of a request.",
        {
            "field": describe(
                TEXT,
                "The path of the member in the body, such as `counterparty.address` or `constraints.1`, or the name of "
                "the parameter or header. What is wrong with the body as a whole has no field: `message` says it.",
            ),
            "message": describe(TEXT, "What is wrong, as it reads on from the field's name."),
        },
    )
    error = make_object(
        "What went wrong. Branch on the HTTP status and on `code`; `message` is for people and may change.",
        {
            "code": refer("ErrorCode"),
            "message": {"type": "string", "minLength": 1},
            "details": {
                "type": "array",
                "items": refer("Fault"),
                "minItems": 1,
                "maxItems": MAX_DETAILS,
                "description": "Every fault of the request at once. Absent when there is nothing to list.",
            },
        },
        optional=("details",),
    )
    return {
        "ErrorCode": describe(
            describe_codes(codes),
            "What a program can act on. Open: codes may be added. Treat one that you do not know by the HTTP status.",
        ),
        "Fault": fault,
        "Error": error,
        "ErrorAnswer": make_object(
            "A refusal or a failure. A refused request has changed nothing.",
            {"ok": {"type": "boolean", "const": False}, "error": refer("Error")},
        ),
    }


# -- Webhooks


def name_event(notice: Notice) -> str:
    """Returns the name of an event's component, such as CaseInputNeededEvent."""
    return "".join(word.capitalize() for word in notice.replace(".", "_").split("_")) + "Event"


def _list_events() -> dict[str, Schema]:
    return {
        name_event(Notice.COMPLETED): _describe_event(
            Notice.COMPLETED, Status.COMPLETED, {"result": ANY_OBJECT, "resultStatus": refer("ResultStatus")}
        ),
        name_event(Notice.FAILED): _describe_event(
            Notice.FAILED,
            Status.FAILED,
            {
                "resultStatus": refer("ResultStatus"),
                "failureReason": {"type": ["string", "null"], "description": "For people."},
            },
        ),
        name_event(Notice.INPUT_NEEDED): _describe_event(
            Notice.INPUT_NEEDED,
            Status.INPUT_NEEDED,
            {
                "inputRequest": describe(TEXT, "The question."),
                "inputRequestId": describe(UUID, "Goes into `inputRequestId` of the answer."),
                "inputRequestStatus": {"type": "string", "const": InputRequest.PENDING},
                "inputRequestedAt": refer("Timestamp"),
            },
        ),
    }


def _describe_event(notice: Notice, status: Status, own: Schema) -> Schema:
    data = {
        "caseId": UUID,
        "clientReferenceId": describe(TEXT, "Your own id. Absent when none was given."),
        "status": {"type": "string", "const": str(status)},
        "channel": CHANNEL,
        "attemptCount": COUNT,
        "attachments": {"type": "array", "items": refer("Attachment")},
        "metadata": describe(ANY_OBJECT, "As it was given. Absent when none was given."),
    }
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    members = {
        "event_id": {
            "type": "string",
            "pattern": f"^evt_{uuid}_{notice.replace('.', '_')}_[0-9]+$",
            "description": "The same however often the event arrives: act once for each.",
        },
        "event_type": {"type": "string", "const": str(notice)},
        "timestamp": {**refer("Timestamp"), "description": "The case's `updatedAt` at the event."},
        "data": make_object("The case at the event.", data | own, optional=("clientReferenceId", "metadata")),
    }
    return make_object("The body of a webhook.", members)
