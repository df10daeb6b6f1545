"""`GET /cases/{id}/attachments/{attachmentId}`: a fresh link from a provider on a real socket, every time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from cases.models import Attachment, Case
from tests.agentmail.provider import Provider, say
from tests.cases.api.conftest import Api, read_data, read_error
from tests.cases.factories import CaseFactory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LINK = {
    "attachment_id": "att/1",
    "filename": "w9.pdf",
    "content_type": "application/pdf",
    "size": 512,
    "download_url": "https://files.example/w9?sig=1",
    "expires_at": "2026-11-24T11:00:00+00:00",
}


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    server = Provider()
    settings.AGENTMAIL_BASE_URL = server.url
    yield server
    server.close()


def make_case(api: Api) -> Case:
    case = CaseFactory.create(client=api.client)
    Attachment.objects.create(
        case=case,
        attachment_id="att/1",
        name="w9.pdf",
        size=512,
        type="application/pdf",
        message_id="<in@northstar.example>",
        inbox_id="agent@offload.example",
        received_at=NOW,
    )
    return case


def test_a_link_is_fetched_from_the_provider_at_every_request(api: Api, provider: Provider) -> None:
    case = make_case(api)
    provider.play(say(200, LINK), say(200, LINK | {"download_url": "https://files.example/w9?sig=2"}))

    first = read_data(api.get(f"/cases/{case.id}/attachments/att%2F1"))
    second = read_data(api.get(f"/cases/{case.id}/attachments/att%2F1"))

    assert first == {
        "attachmentId": "att/1",
        "name": "w9.pdf",
        "size": 512,
        "type": "application/pdf",
        "messageId": "<in@northstar.example>",
        "inboxId": "agent@offload.example",
        "receivedAt": 1795514400000,
        "downloadUrl": "https://files.example/w9?sig=1",
        "expiresAt": "2026-11-24T11:00:00.000Z",
    }
    assert second["downloadUrl"] == "https://files.example/w9?sig=2"
    assert provider.received[0].path == (
        "/v0/inboxes/agent%40offload.example/messages/%3Cin%40northstar.example%3E/attachments/att%2F1"
    )


@pytest.mark.parametrize("expires_at", ["2026-11-24T13:00:00+02:00", "2026-11-24T11:00:00.000123Z"])
def test_a_links_end_is_told_in_utc(api: Api, provider: Provider, expires_at: str) -> None:
    case = make_case(api)
    provider.play(say(200, LINK | {"expires_at": expires_at}))

    data = read_data(api.get(f"/cases/{case.id}/attachments/att%2F1"))

    assert data["expiresAt"] == "2026-11-24T11:00:00.000Z"


@pytest.mark.parametrize("attachment_id", ["att-2", "..%2f..%2fetc%2fpasswd", "%00", "att/1/x"])
def test_an_attachment_that_the_case_does_not_have_is_never_asked_for(
    api: Api, provider: Provider, attachment_id: str
) -> None:
    case = make_case(api)

    response = api.get(f"/cases/{case.id}/attachments/{attachment_id}")

    assert (response.status_code, read_error(response)["code"]) == (404, "ATTACHMENT_NOT_FOUND")
    assert provider.received == []


def test_an_attachment_of_another_case_is_not_found_in_this_one(api: Api, provider: Provider) -> None:
    make_case(api)
    case = CaseFactory.create(client=api.client)

    response = api.get(f"/cases/{case.id}/attachments/att%2F1")

    assert (response.status_code, read_error(response)["code"]) == (404, "ATTACHMENT_NOT_FOUND")


def test_an_attachment_of_another_client_is_forbidden(api: Api, other_api: Api, provider: Provider) -> None:
    case = make_case(api)

    response = other_api.get(f"/cases/{case.id}/attachments/att%2F1")

    assert (response.status_code, read_error(response)["code"]) == (403, "FORBIDDEN")
    assert provider.received == []


def test_a_file_that_the_provider_no_longer_has_is_not_found(api: Api, provider: Provider) -> None:
    case = make_case(api)
    provider.play(say(404, {"name": "NotFound", "code": "not_found", "message": "gone"}))

    response = api.get(f"/cases/{case.id}/attachments/att%2F1")

    assert (response.status_code, read_error(response)["code"]) == (404, "ATTACHMENT_NOT_FOUND")


@pytest.mark.parametrize("played", [say(500, {"message": "secret inside"}), say(200, {}), say(401, {}), say(200, b"x")])
def test_a_provider_that_fails_is_a_500_in_the_envelope_without_its_words(
    api: Api, provider: Provider, played: object
) -> None:
    case = make_case(api)
    provider.play(played)  # type: ignore[arg-type]

    response = api.get(f"/cases/{case.id}/attachments/att%2F1")

    assert (response.status_code, read_error(response)["code"]) == (500, "INTERNAL_ERROR")
    assert b"secret" not in response.content
