"""What the API takes, answers and sends has the members, limits and defaults that the description says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings
from rest_framework.serializers import Serializer

from cases.api.listing import Listing
from cases.api.serializers import AnswerSerializer, NewCaseSerializer
from cases.models import Case
from cases.transitions import lock_case, store_transition
from cases.workflow import GoalReached, HumanAsked, Status, apply_outcome
from tests.agentmail.provider import Provider, say
from tests.cases.api.conftest import Api, make_body
from tests.cases.api.description import Description
from tests.cases.factories import OPENED_AT, CaseFactory
from webhooks.models import Delivery
from webhooks.signing import HEADERS

LINK = {
    "attachment_id": "1",
    "filename": "a",
    "content_type": "t/t",
    "size": 1,
    "download_url": "https://files.example/a?sig=1",
    "expires_at": "2026-11-24T11:00:00+00:00",
}


@pytest.fixture(scope="module")
def description() -> Description:
    return Description()


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    server = Provider()
    settings.AGENTMAIL_BASE_URL = server.url
    yield server
    server.close()


# -- Requests


def _compare(serializer: Serializer[Any], schema: dict[str, Any], description: Description) -> None:
    assert set(schema["properties"]) == set(serializer.fields)
    assert set(schema["required"]) == {name for name, field in serializer.fields.items() if field.required}
    for name, field in serializer.fields.items():
        assert schema["properties"][name]["description"]
        if isinstance(field, Serializer):
            component = schema["properties"][name]["$ref"].rpartition("/")[2]
            _compare(field, description.get_schema(component), description)


def test_a_body_has_the_members_that_are_read_and_no_other(description: Description) -> None:
    _compare(NewCaseSerializer(), description.get_schema("NewCase"), description)
    _compare(AnswerSerializer(), description.get_schema("ProvidedInput"), description)


def _list_limits(description: Description) -> Iterator[tuple[str, Any, Any]]:
    """Yields the path of a member, a value at its limit and one beyond it, as the description has them."""
    for owner, component in (
        ("", "NewCase"),
        ("goal.", "NewCaseGoal"),
        ("counterparty.", "NewCaseCounterparty"),
        ("senderPersona.", "NewCaseSenderPersona"),
    ):
        for name, schema in description.get_schema(component)["properties"].items():
            path = f"{owner}{name}"
            if "maximum" in schema:
                yield path, schema["maximum"], schema["maximum"] + 1
                yield path, schema["minimum"], schema["minimum"] - 1
            if "maxItems" in schema:
                yield path, ["x"] * schema["maxItems"], ["x"] * (schema["maxItems"] + 1)
                longest = schema["items"]["maxLength"]
                yield path, ["x" * longest], ["x" * (longest + 1)]
            if "maxLength" in schema and schema.get("format") is None:
                yield path, "x" * schema["maxLength"], "x" * (schema["maxLength"] + 1)
            if schema.get("format") == "uri":
                start = "https://app.example/"
                yield path, start.ljust(schema["maxLength"], "x"), start.ljust(schema["maxLength"] + 1, "x")


def _put(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    owner, _, name = path.rpartition(".")
    return body | {owner: body[owner] | {name: value}} if owner else body | {name: value}


def test_every_limit_is_where_the_description_says(api: Api, description: Description) -> None:
    schema = description.get_schema("NewCase")
    limits = list(_list_limits(description))

    statuses = [
        (path, api.post("/cases", _put(make_body(), path, at)).status_code, _judge(api, path, beyond))
        for path, at, beyond in limits
    ]

    assert statuses == [(path, 201, (400, path)) for path, _, _ in limits]
    assert len(limits) == 15
    for path, at, beyond in limits:
        assert description.list_faults(schema, _put(make_body(), path, at)) == []
        assert description.list_faults(schema, _put(make_body(), path, beyond)) != []


def _judge(api: Api, path: str, value: Any) -> tuple[int, str]:
    """Returns the status, and the member that is refused."""
    answer = api.post("/cases", _put(make_body(), path, value))
    [fault] = json.loads(answer.content)["error"]["details"]
    return answer.status_code, fault["field"].removesuffix(".0")


def test_a_default_is_what_a_member_means_when_it_is_left_out(api: Api, description: Description) -> None:
    members = description.get_schema("NewCase")["properties"]

    api.post("/cases", make_body())

    [case] = Case.objects.all()
    defaults = {name: schema["default"] for name, schema in members.items() if "default" in schema}
    assert defaults == {"maxAttempts": case.max_attempts, "followUpDelayHours": case.follow_up_delay_hours}


def test_every_parameter_of_the_list_is_read(api: Api, description: Description) -> None:
    parameters = description.get_operation("listCases").text["parameters"]
    names = [parameter["name"] for parameter in parameters]

    answer = api.get("/cases?" + "&".join(f"{name}=%00" for name in names))

    assert {fault["field"] for fault in json.loads(answer.content)["error"]["details"]} == set(names)
    assert len(names) == len(fields(Listing))


def test_the_default_and_the_largest_page_are_what_the_description_says(api: Api, description: Description) -> None:
    CaseFactory.create_batch(101, client=api.client)
    [limit] = [
        parameter["schema"]
        for parameter in description.get_operation("listCases").text["parameters"]
        if parameter["name"] == "limit"
    ]

    plain, largest = api.get("/cases"), api.get(f"/cases?limit={limit['maximum']}")

    assert len(description.check_answer("listCases", plain)["data"]["cases"]) == limit["default"]
    assert len(description.check_answer("listCases", largest)["data"]["cases"]) == limit["maximum"]
    assert api.get(f"/cases?limit={limit['maximum'] + 1}").status_code == 400


# -- Answers


def make_full_case(api: Api) -> Case:
    """A case in which every member that a client can ever see is set."""
    case = CaseFactory.create(
        client=api.client,
        client_reference_id="ref",
        knowledge={"private": "x"},
        counterparty_company="Northstar",
        counterparty_timezone="Europe/Berlin",
        counterparty_custom_data={"a": "b"},
        persona_role="AP",
        persona_company="Acme",
        persona_tone="brief",
        constraints=["Be brief."],
        result_schema={"type": "object"},
        metadata={"a": 1},
        client_webhook_url="https://app.example/hook",
        status="COMPLETED",
        result={"a": 1},
        result_status="goal_achieved",
    )
    case.input_requests.create(question="Which?", requested_at=OPENED_AT)
    case.attachments.create(
        attachment_id="1", name="a", size=2**40, type="t/t", message_id="<m>", inbox_id="i", received_at=OPENED_AT
    )
    return case


def test_a_full_case_has_exactly_the_members_of_the_description(api: Api, description: Description) -> None:
    case = make_full_case(api)

    answer = api.get(f"/cases/{case.id}?includeTranscript=true&expand=metadata,failureReason")

    told = description.check_answer("getCase", answer)["data"]
    schemas = {
        "Case": told,
        "Goal": told["goal"],
        "Counterparty": told["counterparty"],
        "SenderPersona": told["senderPersona"],
        "InputRequest": told["inputRequest"],
        "Attachment": told["attachments"][0],
    }
    assert {name: list(description.get_schema(name)["properties"]) for name in schemas} == {
        name: list(value) for name, value in schemas.items()
    }


def test_the_least_case_has_exactly_the_members_that_are_required(api: Api, description: Description) -> None:
    case = CaseFactory.create(client=api.client)

    told = description.check_answer("getCase", api.get(f"/cases/{case.id}"))["data"]

    schemas = {"Case": told, "Goal": told["goal"], "Counterparty": told["counterparty"]}
    schemas |= {"SenderPersona": told["senderPersona"]}
    assert {name: description.get_schema(name)["required"] for name in schemas} == {
        name: list(value) for name, value in schemas.items()
    }


def test_every_success_is_as_described(api: Api, description: Description, provider: Provider) -> None:
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED")
    asked = case.input_requests.create(question="Which?", requested_at=OPENED_AT)
    case.attachments.create(
        attachment_id="1", name="a", size=1, type="t/t", message_id="<m>", inbox_id="i", received_at=OPENED_AT
    )
    provider.play(say(200, LINK))

    answers = {
        "createCase": api.post("/cases", make_body()),
        "listCases": api.get("/cases?expand=metadata,failureReason"),
        "getCase": api.get(f"/cases/{case.id}"),
        "getAttachment": api.get(f"/cases/{case.id}/attachments/1"),
        "provideInput": api.post(
            f"/cases/{case.id}/input", {"inputRequestId": str(asked.id), "providedContext": "The first"}
        ),
        "cancelCase": api.post(f"/cases/{case.id}/cancel", {}),
    }

    statuses = {name: (answer.status_code, answer.headers["Content-Type"]) for name, answer in answers.items()}
    json_with = {"createCase": 201, "listCases": 200, "getCase": 200, "getAttachment": 200}
    json_with |= {"provideInput": 202, "cancelCase": 202}
    assert statuses == {name: (status, "application/json") for name, status in json_with.items()}
    for name, answer in answers.items():
        assert description.check_answer(name, answer)["ok"] is True
    assert set(answers) == {operation.name for operation in description.list_operations()}


@pytest.mark.parametrize("name", ["Case", "OpenedCase", "Attachment", "ErrorAnswer", "CaseFailedEvent"])
def test_a_member_that_nobody_described_is_found(description: Description, name: str) -> None:
    faults = description.list_faults(description.get_schema(name), {"surprise": 1})

    assert any("'surprise' was unexpected" in fault for fault in faults)


@pytest.mark.parametrize("name", ["Case", "OpenedCase", "Attachment", "ErrorAnswer", "CaseFailedEvent"])
def test_the_published_schemas_leave_room_for_members_and_codes_to_come(description: Description, name: str) -> None:
    published = description.published["components"]["schemas"]

    assert published[name].get("additionalProperties", True) is True
    assert "enum" not in published["ErrorCode"]
    assert '"additionalProperties": false' not in json.dumps(published)


def test_closing_leaves_request_bodies_open(description: Description) -> None:
    assert description.list_faults(description.get_schema("NewCase"), make_body() | {"surprise": 1}) == []


# -- Webhooks


def _end(case: Case) -> None:
    with transaction.atomic():
        locked = lock_case(case.id)
        transition = apply_outcome(locked.get_state(), GoalReached({"a": 1}), OPENED_AT)
        store_transition(locked, transition, now=OPENED_AT)


def _ask(case: Case) -> None:
    with transaction.atomic():
        locked = lock_case(case.id)
        store_transition(locked, apply_outcome(locked.get_state(), HumanAsked("Which?"), OPENED_AT), now=OPENED_AT)


def test_what_is_recorded_for_delivery_is_what_the_webhooks_section_says(api: Api, description: Description) -> None:
    full = {
        "client": api.client,
        "client_reference_id": "ref",
        "metadata": {"a": 1},
        "client_webhook_url": "https://app.example/hook",
        "status": Status.RUNNING,
    }
    least = {"client": api.client, "client_webhook_url": "https://app.example/hook"}
    for values in (full, least):
        _end(CaseFactory.create(**values))
        _ask(CaseFactory.create(**values))
        api.post(f"/cases/{CaseFactory.create(**values).id}/cancel", {})

    sent = [json.loads(delivery.body) for delivery in Delivery.objects.order_by("created_at")]

    webhooks = description.document["webhooks"]
    assert len(sent) == 6
    assert {body["event_type"] for body in sent} == set(webhooks)
    members: dict[str, set[str]] = {}
    for body in sent:
        schema = webhooks[body["event_type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert description.list_faults(schema, body) == []
        members.setdefault(schema["$ref"].rpartition("/")[2], set()).update(body["data"])
    for name, given in members.items():
        assert given == set(description.get_schema(name)["properties"]["data"]["properties"])


def test_the_webhooks_name_the_headers_that_a_signed_one_carries_and_demand_none(description: Description) -> None:
    for webhook in description.document["webhooks"].values():
        named = {parameter["name"]: parameter for parameter in webhook["post"]["parameters"]}
        assert tuple(named) == HEADERS
        assert {(parameter["in"], parameter["required"]) for parameter in named.values()} == {("header", False)}
