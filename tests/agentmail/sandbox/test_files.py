"""Attachments and raw mail behind short-lived links."""

import base64
from email import message_from_bytes
from email.policy import default
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tests.agentmail.sandbox.conftest import INBOX, Control, Provider

PDF = b"%PDF-1.4 test"


@pytest.fixture
def received(provider: Provider, control: Control) -> Any:
    """A reply with one file, as the provider shows it."""
    thread_id = provider.send().json()["thread_id"]
    file = {"filename": "W-9 ü.pdf", "content_type": "application/pdf", "content": base64.b64encode(PDF).decode()}
    ids = control.post("inbound", {"thread_id": thread_id, "text": "Here.", "attachments": [file]}).json()
    return provider.call("GET", f"/inboxes/{INBOX}/messages/{quote(ids['message_id'], safe='')}").json()


def _message_path(received: Any) -> str:
    return f"/inboxes/{INBOX}/messages/{quote(received['message_id'], safe='')}"


def test_a_file_is_found_by_its_message_and_by_its_thread(provider: Provider, received: Any) -> None:
    attachment_id = received["attachments"][0]["attachment_id"]
    for path in (
        _message_path(received),
        f"/threads/{received['thread_id']}",
        f"/inboxes/{INBOX}/threads/{received['thread_id']}",
    ):
        found = provider.call("GET", f"{path}/attachments/{attachment_id}").json()
        assert found["download_url"].startswith("http://testserver/sandbox/files/")
        assert found["expires_at"].endswith("Z")
        assert {name: found[name] for name in received["attachments"][0]} == {
            "attachment_id": attachment_id,
            "size": len(PDF),
            "filename": "W-9 ü.pdf",
            "content_type": "application/pdf",
            "content_disposition": "attachment",
        }


def test_the_link_works_without_a_key_and_never_shows_the_file_in_the_browser(
    provider: Provider, received: Any
) -> None:
    path = f"{_message_path(received)}/attachments/{received['attachments'][0]['attachment_id']}"
    answer = Client().get(provider.call("GET", path).json()["download_url"])
    assert answer.status_code == 200
    assert answer.content == PDF
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''W-9%20%C3%BC.pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_link_is_over_after_an_hour_and_a_fresh_one_works(
    provider: Provider, control: Control, received: Any
) -> None:
    path = f"{_message_path(received)}/attachments/{received['attachments'][0]['attachment_id']}"
    url = provider.call("GET", path).json()["download_url"]
    control.post("clock", {"hours": 1.01})
    assert Client().get(url).status_code == 403
    assert Client().get(provider.call("GET", path).json()["download_url"]).content == PDF


def test_a_forged_link_is_refused(provider: Provider, received: Any) -> None:
    path = f"{_message_path(received)}/attachments/{received['attachments'][0]['attachment_id']}"
    url: str = provider.call("GET", path).json()["download_url"]
    answer = Client().get(url[:-1] + ("a" if url[-1] != "a" else "b"))
    assert answer.status_code == 403
    assert PDF not in answer.content


@pytest.mark.parametrize("attachment_id", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_file_is_a_404(provider: Provider, received: Any, attachment_id: str) -> None:
    for path in (_message_path(received), f"/threads/{received['thread_id']}"):
        answer = provider.call("GET", f"{path}/attachments/{attachment_id}")
        assert (answer.status_code, answer.json()["message"]) == (404, "Attachment not found")


def test_raw_mail_is_a_link_to_rfc_5322_text(provider: Provider, received: Any) -> None:
    raw = provider.call("GET", f"{_message_path(received)}/raw").json()
    assert (raw["message_id"], raw["size"]) == (received["message_id"], received["size"])
    mail = message_from_bytes(Client().get(raw["download_url"]).content, policy=default)
    assert mail["Message-ID"] == received["message_id"]
    assert mail["In-Reply-To"] == received["in_reply_to"]
    assert mail["Subject"] == "Re: W-9"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Here."
    assert [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()] == [("W-9 ü.pdf", PDF)]
