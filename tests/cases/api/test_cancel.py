"""`POST /cases/{id}/cancel`: ends a case within the request, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cases.models import Case, CaseEvent, InputRequest
from tests.cases.api.conftest import Api, read_data, read_error
from tests.cases.factories import CaseFactory
from webhooks.models import Delivery

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "INPUT_NEEDED"])
def test_a_live_case_ends_at_once_and_the_client_is_told(api: Api, status: str) -> None:
    case = CaseFactory.create(client=api.client, status=status, client_webhook_url="https://app.example/hook")
    if status == "INPUT_NEEDED":
        case.input_requests.create(question="Which?", requested_at=NOW)

    response = api.post(f"/cases/{case.id}/cancel", {})

    assert (response.status_code, read_data(response)) == (202, {"caseId": str(case.id), "status": "FAILED"})
    case.refresh_from_db()
    assert (case.status, case.result_status, case.next_action_at) == ("FAILED", "cancelled", None)
    assert [delivery.event_type for delivery in Delivery.objects.filter(owner=case.id)] == ["case.failed"]
    assert [request.status for request in InputRequest.objects.all()] == ["RESOLVED"] * (status == "INPUT_NEEDED")
    assert CaseEvent.objects.get(kind="CASE_CANCELLED").status == "done"


def test_a_second_cancel_answers_the_same_and_tells_nobody_again(api: Api) -> None:
    case = CaseFactory.create(client=api.client, client_webhook_url="https://app.example/hook")
    first = api.post(f"/cases/{case.id}/cancel", {})

    second = api.post(f"/cases/{case.id}/cancel", {})

    assert (second.status_code, read_data(second)) == (first.status_code, read_data(first))
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(("status", "result_status"), [("COMPLETED", "goal_achieved"), ("FAILED", "max_retries")])
def test_a_case_that_ended_otherwise_stays_as_it_is(api: Api, status: str, result_status: str) -> None:
    case = CaseFactory.create(client=api.client, status=status, result_status=result_status)
    before = Case.objects.values().get(pk=case.pk)

    response = api.post(f"/cases/{case.id}/cancel", {})

    assert (response.status_code, read_error(response)["code"]) == (409, "CASE_ALREADY_FINISHED")
    assert Case.objects.values().get(pk=case.pk) == before
    assert (Delivery.objects.count(), CaseEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize(("raw", "content_type"), [(b"", ""), (b"{", "application/json"), (b"x", "text/plain")])
def test_a_cancel_needs_no_body_and_reads_none(api: Api, raw: bytes, content_type: str) -> None:
    case = CaseFactory.create(client=api.client)

    response = api.send("POST", f"/cases/{case.id}/cancel", raw=raw, content_type=content_type)

    assert (response.status_code, read_data(response)["status"]) == (202, "FAILED")


def test_a_cancelled_case_reads_so_and_has_nothing_scheduled(api: Api) -> None:
    case = CaseFactory.create(client=api.client, status="RUNNING")
    api.post(f"/cases/{case.id}/cancel", {})

    data = read_data(api.get(f"/cases/{case.id}"))

    assert (data["status"], data["resultStatus"], data["nextActionAt"]) == ("FAILED", "cancelled", 253402300799999)
    assert "result" not in data


def test_a_case_of_another_client_is_not_cancelled(api: Api) -> None:
    case = CaseFactory.create()

    response = api.post(f"/cases/{case.id}/cancel", {})

    assert (response.status_code, read_error(response)["code"]) == (403, "FORBIDDEN")
    case.refresh_from_db()
    assert case.status == "CREATED"


def test_no_case_is_not_found(api: Api) -> None:
    response = api.post("/cases/7c9e6679-7425-40de-944b-e07fc1f90ae7/cancel", {})

    assert (response.status_code, read_error(response)["code"]) == (404, "CASE_NOT_FOUND")
