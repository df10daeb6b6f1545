"""POST /cases and GET /cases/{id}, as a client sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.models import Attachment, Case, CaseEvent, InputRequest
from tests.cases.api.conftest import Api, make_body, read_data, read_error
from tests.cases.factories import CaseFactory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NOW_MS = 1795514400000
NOTHING_SCHEDULED_MS = 253402300799999

FULL_BODY: dict[str, Any] = {
    "channel": "EMAIL",
    "goal": {
        "objective": "Collect Maya's signed W-9.\n\nAsk for the PDF.",
        "knowledge": {"deadline": "2026-12-01", "private": {"budget": 4000}},
    },
    "counterparty": {
        "address": "Maya.Chen@Northstar.example",
        "name": "Maya Chen",
        "company": "Northstar",
        "timezone": "America/Los_Angeles",
        "customData": {"vendorId": "V-17", "": "empty name"},
    },
    "senderPersona": {"name": "Ana Ruiz", "role": "Vendor operations", "company": "Acme", "tone": "warm and brief"},
    "clientReferenceId": " ref/17 ",
    "constraints": ["Do not mention payment.", "Ask for a PDF."],
    "maxAttempts": 0,
    "followUpDelayHours": 1,
    "resultSchema": {"type": "object", "properties": {"signed": {"type": "boolean"}}},
    "clientWebhookUrl": "http://127.0.0.1:8001/sandbox/receiver/?token=1",
    "metadata": {"tags": ["w9", None, 1.5, {"deep": [True]}]},
}

NO_CASE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def test_a_case_is_stored_with_its_first_event_and_nothing_else_happens(api: Api) -> None:
    with time_machine.travel(NOW, tick=False):
        response = api.post("/cases", FULL_BODY)

    data = read_data(response)
    case = Case.objects.get()
    assert response.status_code == 201
    assert data == {"caseId": str(case.id), "status": "CREATED"}
    assert UUID(data["caseId"]).version == 4
    assert (case.client_id, case.attempt_count, case.created_at) == (api.client.pk, 0, NOW)
    assert case.client_webhook_url == "http://127.0.0.1:8001/sandbox/receiver/?token=1"
    assert case.metadata == FULL_BODY["metadata"]
    event = CaseEvent.objects.get()
    assert (event.kind, event.key, event.case_id, event.status) == (
        "CASE_CREATED",
        f"created:{case.id}",
        case.id,
        "ready",
    )


def test_a_case_reads_back_as_it_was_given(api: Api) -> None:
    with time_machine.travel(NOW, tick=False):
        case_id = read_data(api.post("/cases", FULL_BODY))["caseId"]

    response = api.get(f"/cases/{case_id}")

    assert response.status_code == 200
    assert read_data(response) == {
        "caseId": case_id,
        "clientReferenceId": "ref/17",
        "status": "CREATED",
        "createdAt": NOW_MS,
        "updatedAt": NOW_MS,
        "nextActionAt": NOTHING_SCHEDULED_MS,
        "attemptCount": 0,
        "maxAttempts": 0,
        "channel": "EMAIL",
        "counterparty": FULL_BODY["counterparty"],
        "attachments": [],
        "goal": FULL_BODY["goal"],
        "resultSchema": FULL_BODY["resultSchema"],
        "senderPersona": FULL_BODY["senderPersona"],
        "constraints": FULL_BODY["constraints"],
        "inputRequest": None,
    }


def test_what_was_not_given_is_absent_and_the_defaults_are_the_contracts(api: Api) -> None:
    with time_machine.travel(NOW, tick=False):
        case_id = read_data(api.post("/cases", make_body()))["caseId"]

    data = read_data(api.get(f"/cases/{case_id}"))

    assert data == {
        "caseId": case_id,
        "status": "CREATED",
        "createdAt": NOW_MS,
        "updatedAt": NOW_MS,
        "nextActionAt": NOTHING_SCHEDULED_MS,
        "attemptCount": 0,
        "maxAttempts": 3,
        "channel": "EMAIL",
        "counterparty": {"address": "maya@northstar.example", "name": "Maya Chen"},
        "attachments": [],
        "goal": {"objective": "Collect Maya's signed W-9"},
        "senderPersona": {"name": "Ana Ruiz"},
        "inputRequest": None,
    }
    assert Case.objects.get().follow_up_delay_hours == 72


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("goal", {"objective": "x" * 20_000, "knowledge": ""}),
        ("goal", {"objective": "Ask \U0001f600 <b>ß</b>", "knowledge": {}}),
        ("counterparty", {"address": "maya+w9@sub.northstar.co.uk", "name": "Łucja Ó Briain-Ng", "company": ""}),
        ("counterparty", {"address": "m" * 64 + "@northstar.example", "name": "M" * 200, "customData": {}}),
        ("counterparty", {"address": "maya@xn--mnchen-3ya.example", "name": "Maya", "timezone": "UTC"}),
        ("senderPersona", {"name": "Ana", "role": "", "company": "", "tone": ""}),
        ("clientReferenceId", ""),
        ("constraints", []),
        ("constraints", ["x" * 2_000] * 100),
        ("maxAttempts", 1_000),
        ("followUpDelayHours", 8_760),
        ("resultSchema", {}),
        ("resultSchema", {"type": "no such type"}),
        ("metadata", {}),
        ("clientWebhookUrl", "https://hooks.example/in?x=%20"),
    ],
)
def test_what_lies_at_the_limits_is_taken(api: Api, member: str, value: Any) -> None:
    response = api.post("/cases", make_body(**{member: value}))

    assert (response.status_code, Case.objects.count()) == (201, 1)


def test_members_that_nobody_knows_are_ignored_and_never_stored(api: Api, other_api: Api) -> None:
    body = make_body(
        id=str(uuid4()), client=str(other_api.client.pk), status="COMPLETED", attemptCount=7, __proto__={"a": 1}
    )

    response = api.post("/cases", body)

    case = Case.objects.get()
    assert response.status_code == 201
    assert (case.client_id, case.status, case.attempt_count) == (api.client.pk, "CREATED", 0)
    assert str(case.id) != body["id"]


def test_spaces_around_a_name_are_dropped(api: Api) -> None:
    api.post("/cases", make_body(senderPersona={"name": "  Ana Ruiz ", "role": " Ops "}))

    case = Case.objects.get()
    assert (case.persona_name, case.persona_role) == ("Ana Ruiz", "Ops")


def test_the_charset_may_be_named_if_it_is_utf_8(api: Api) -> None:
    response = api.http.post(
        "/cases", make_body(), content_type='application/json; charset="UTF-8"', HTTP_X_API_KEY=api.key
    )

    assert response.status_code == 201


def list_statements(statements: CaptureQueriesContext) -> list[str]:
    """Returns the first two words of each statement, without the transaction's own and the limiter's one."""
    sent = [str(query["sql"]) for query in statements.captured_queries]
    return [
        " ".join(sql.split()[:2])
        for sql in sent
        if not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) and "cases_requestallowance" not in sql
    ]


def test_opening_a_case_costs_one_statement_and_no_transaction_around_it(api: Api) -> None:
    api.get(f"/cases/{uuid4()}")

    with CaptureQueriesContext(connection) as statements:
        api.post("/cases", FULL_BODY)

    assert list_statements(statements) == ["WITH made"]
    assert not [query for query in statements.captured_queries if "SAVEPOINT" in query["sql"]]
    assert (Case.objects.count(), CaseEvent.objects.count()) == (1, 1)


def test_opening_a_case_with_an_idempotency_key_costs_two_statements_more(api: Api) -> None:
    api.get(f"/cases/{uuid4()}")

    with CaptureQueriesContext(connection) as statements:
        api.send("POST", "/cases", FULL_BODY, HTTP_IDEMPOTENCY_KEY="k-1")

    lock, *rest = list_statements(statements)
    assert lock.startswith("SELECT pg_try_advisory_xact_lock")
    assert rest == ["WITH made", "INSERT INTO"]


def test_reading_a_case_costs_three_statements_whatever_it_has(api: Api) -> None:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED")
    for number in range(3):
        attach(case, f"att_{number}")
    InputRequest.objects.create(case=case, question="May Maya send it by post?", requested_at=NOW)
    api.get(f"/cases/{uuid4()}")

    with CaptureQueriesContext(connection) as statements:
        data = read_data(api.get(f"/cases/{case.id}?expand=metadata,failureReason"))

    assert len(data["attachments"]) == 3
    assert len(list_statements(statements)) == 3


def attach(case: Case, attachment_id: str) -> None:
    Attachment.objects.create(
        case=case,
        attachment_id=attachment_id,
        name="w9.pdf",
        size=48_213,
        type="application/pdf",
        message_id="<m1@northstar.example>",
        inbox_id="agent@offload.example",
        received_at=NOW,
    )


def test_an_ended_case_shows_its_result_and_what_came_with_its_mail(api: Api) -> None:
    case = CaseFactory.create(
        client=api.client, status="COMPLETED", result_status="goal_achieved", result={"signed": True}, attempt_count=2
    )
    attach(case, "att_1")

    data = read_data(api.get(f"/cases/{case.id}"))

    assert (data["status"], data["resultStatus"], data["result"]) == ("COMPLETED", "goal_achieved", {"signed": True})
    assert data["attachments"] == [
        {
            "attachmentId": "att_1",
            "name": "w9.pdf",
            "size": 48213,
            "type": "application/pdf",
            "messageId": "<m1@northstar.example>",
            "inboxId": "agent@offload.example",
            "receivedAt": NOW_MS,
        }
    ]


def test_the_newest_question_is_shown(api: Api) -> None:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED", attempt_count=1)
    InputRequest.objects.create(
        case=case,
        question="Old?",
        requested_at=NOW - timedelta(days=1),
        status="RESOLVED",
        resolved_at=NOW,
        answer="Yes",
    )
    newest = InputRequest.objects.create(case=case, question="May Maya send it by post?", requested_at=NOW)

    data = read_data(api.get(f"/cases/{case.id}"))

    assert data["inputRequest"] == {
        "id": str(newest.id),
        "question": "May Maya send it by post?",
        "status": "PENDING",
        "requestedAt": NOW_MS,
    }


def test_what_is_internal_is_not_shown(api: Api) -> None:
    case = CaseFactory.create(
        client=api.client,
        status="FAILED",
        result_status="BOUNCED",
        failure_reason="reason",
        metadata={"a": 1},
        client_webhook_url="https://hooks.example/",
        inbox_id="inbox",
        thread_id="thread",
    )

    data = read_data(api.get(f"/cases/{case.id}?exp=metadata"))

    assert set(data) == {
        "caseId",
        "status",
        "createdAt",
        "updatedAt",
        "nextActionAt",
        "attemptCount",
        "maxAttempts",
        "channel",
        "counterparty",
        "attachments",
        "resultStatus",
        "goal",
        "senderPersona",
        "inputRequest",
    }


@pytest.mark.parametrize("expand", ["expand=metadata,failureReason", "expand=failureReason&expand=metadata"])
def test_metadata_and_the_reason_of_a_failure_are_shown_on_demand(api: Api, expand: str) -> None:
    case = CaseFactory.create(
        client=api.client, status="FAILED", result_status="BOUNCED", failure_reason="No such mailbox", metadata={"a": 1}
    )

    data = read_data(api.get(f"/cases/{case.id}?{expand}"))

    assert (data["metadata"], data["failureReason"]) == ({"a": 1}, "No such mailbox")


def test_only_what_was_asked_for_is_added(api: Api) -> None:
    case = CaseFactory.create(client=api.client, metadata={})

    data = read_data(api.get(f"/cases/{case.id}?expand=metadata"))

    assert data["metadata"] == {}
    assert "failureReason" not in data


def test_a_case_without_metadata_or_failure_shows_no_metadata_and_a_null_reason(api: Api) -> None:
    case = CaseFactory.create(client=api.client)

    data = read_data(api.get(f"/cases/{case.id}?expand=metadata,failureReason"))

    assert "metadata" not in data
    assert data["failureReason"] is None


@pytest.mark.parametrize("expand", ["", "nothing", "metadata,", "metadata,clientWebhookUrl", "Metadata", "metadata%00"])
@pytest.mark.parametrize("path", ["/cases", "/cases/{id}"])
def test_an_unknown_member_to_expand_is_refused_with_the_known_ones(api: Api, path: str, expand: str) -> None:
    case = CaseFactory.create(client=api.client)

    response = api.get(f"{path.format(id=case.id)}?expand={expand}")

    assert response.status_code == 400
    assert read_error(response) == {
        "code": "INVALID_REQUEST",
        "message": "expand must be metadata or failureReason, or both, separated by a comma.",
        "details": [{"field": "expand", "message": "must be metadata or failureReason, or both, separated by a comma"}],
    }


def test_knowledge_that_is_an_empty_string_was_given(api: Api) -> None:
    goal = {"objective": "Collect Maya's signed W-9", "knowledge": ""}

    case_id = read_data(api.post("/cases", make_body(goal=goal)))["caseId"]

    assert read_data(api.get(f"/cases/{case_id}"))["goal"] == goal


@pytest.mark.parametrize(
    "case_id",
    [
        NO_CASE,
        "%00",
        "%FF",
        "%0A",
        "0",
        "1" + "0" * 30,
        "..%2f..%2fetc%2fpasswd",
        "not-a-uuid",
        f"%7B{NO_CASE}%7D",
        NO_CASE.replace("-", ""),
        f"urn:uuid:{NO_CASE}",
        f"{NO_CASE}%20",
        "٣" * 8 + "-0000-4000-8000-000000000000",
        "x" * 5_000,
    ],
)
def test_what_is_no_case_is_not_found(api: Api, case_id: str) -> None:
    asked = [api.get(f"/cases/{case_id}"), api.post(f"/cases/{case_id}/input", {})]

    assert [response.status_code for response in asked] == [404, 404]
    assert read_error(asked[0])["code"] in ("CASE_NOT_FOUND", "NOT_FOUND")


def test_an_id_in_capital_letters_is_the_same_case(api: Api) -> None:
    case = CaseFactory.create(client=api.client)

    assert read_data(api.get(f"/cases/{str(case.id).upper()}"))["caseId"] == str(case.id)


def test_a_case_of_another_client_is_forbidden(api: Api, other_api: Api) -> None:
    case = CaseFactory.create(client=api.client, objective="Nobody else's business")

    response = other_api.get(f"/cases/{case.id}?includeTranscript=true")

    assert response.status_code == 403
    assert read_error(response) == {"code": "FORBIDDEN", "message": "This case belongs to another client."}


def test_head_answers_as_get_does_without_a_body(api: Api) -> None:
    case = CaseFactory.create(client=api.client)

    response = api.send("HEAD", f"/cases/{case.id}")

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "x-klingon"])
def test_a_query_is_read_whatever_charset_the_request_claims(api: Api, charset: str) -> None:
    case = CaseFactory.create(client=api.client)

    response = api.send(
        "GET",
        f"/cases/{case.id}?includeTranscript=false&x=%FF",
        raw=b"x",
        content_type=f"text/plain; charset={charset}",
    )

    assert response.status_code == 200
