"""Opening a file of a mail: a fresh link from a provider on a real socket, and nothing else leads away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client as HttpClient
from pytest_django import Settings

from cases.models import Attachment, Case
from tests.agentmail.provider import Provider, say
from tests.cases.admin.conftest import ASKED_AT, make_page_url, sign_in
from tests.cases.factories import CaseFactory
from tests.cases.mail import INBOX, store_reply

NO_LINK = "The mail provider gave no download link; please try again."
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


@pytest.fixture
def case(db: None) -> Case:
    return CaseFactory.create(status="RUNNING", attempt_count=1)


@pytest.fixture
def attachment(case: Case) -> Attachment:
    return Attachment.objects.create(
        case=case,
        attachment_id="att/1",
        name="w9.pdf",
        size=512,
        type="application/pdf",
        message_id="<in@northstar.example>",
        inbox_id=INBOX,
        received_at=ASKED_AT,
    )


def make_file_url(case: Case, pk: int) -> str:
    return f"/admin/cases/case/{case.id}/attachments/{pk}/"


def read_messages(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_a_file_in_the_transcript_leads_to_its_link(reader: HttpClient, case: Case, attachment: Attachment) -> None:
    files = [
        {"attachment_id": "att/1", "filename": "w9.pdf", "content_type": "application/pdf", "size": 512},
        {"attachment_id": "att/2", "filename": "logo.png", "content_type": "image/png", "size": 1},
    ]
    store_reply(case, "Here it is.", ASKED_AT, message_id="<in@northstar.example>", attachments=files)
    store_reply(case, "Again.", ASKED_AT, message_id="<other@northstar.example>", attachments=files[:1])

    page = reader.get(make_page_url(case)).content.decode()

    url = make_file_url(case, attachment.pk)
    assert page.count(f'<a class="file" href="{url}"><bdi>w9.pdf</bdi></a>') == 1
    assert '<span class="file"><bdi>w9.pdf</bdi></span>' in page
    assert '<span class="file"><bdi>logo.png</bdi></span>' in page


def test_a_file_opens_at_a_link_that_is_fetched_each_time(
    reader: HttpClient, case: Case, attachment: Attachment, provider: Provider
) -> None:
    provider.play(say(200, LINK), say(200, LINK | {"download_url": "http://files.example/w9?sig=2"}))

    responses = [reader.get(make_file_url(case, attachment.pk)) for _ in range(2)]

    assert [(response.status_code, response.headers["Location"]) for response in responses] == [
        (302, "https://files.example/w9?sig=1"),
        (302, "http://files.example/w9?sig=2"),
    ]
    assert [request.path for request in provider.received] == [
        "/v0/inboxes/agent%40offload.example/messages/%3Cin%40northstar.example%3E/attachments/att%2F1"
    ] * 2


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {"name": "internal"}, NO_LINK),
        (200, LINK | {"download_url": "javascript:alert(1)"}, NO_LINK),
        (200, {}, NO_LINK),
        (404, {"name": "not_found"}, "The mail provider does not have this file any more."),
    ],
)
def test_without_a_link_the_page_of_the_case_says_so(
    reader: HttpClient,
    case: Case,
    attachment: Attachment,
    provider: Provider,
    status: int,
    body: dict[str, Any],
    words: str,
) -> None:
    provider.play(say(status, body))

    response = reader.get(make_file_url(case, attachment.pk))

    assert (response.status_code, response.headers["Location"]) == (302, make_page_url(case))
    assert read_messages(response) == [words]


def test_a_file_of_another_case_is_never_asked_for(
    reader: HttpClient, case: Case, attachment: Attachment, provider: Provider
) -> None:
    other = CaseFactory.create()

    for pk in (attachment.pk, 0, 2**63):
        response = reader.get(make_file_url(other, pk))

        assert (response.status_code, response.headers["Location"]) == (302, make_page_url(other))
        assert read_messages(response)[-1] == "This case has no such file."
    assert provider.received == []


def test_only_who_may_see_the_case_may_open_its_files(case: Case, attachment: Attachment, provider: Provider) -> None:
    url = make_file_url(case, attachment.pk)

    stranger, nobody = HttpClient().get(url), sign_in("nora", "agentmail.view_inboundemail").get(url)

    assert (stranger.status_code, nobody.status_code) == (302, 403)
    assert stranger.headers["Location"].startswith("/admin/login/?next=")
    assert provider.received == []


def test_a_file_is_only_read(reader: HttpClient, case: Case, attachment: Attachment, provider: Provider) -> None:
    response = reader.post(make_file_url(case, attachment.pk))

    assert response.status_code == 405
    assert provider.received == []
