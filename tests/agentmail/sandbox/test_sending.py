"""Send, reply and reply-all."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from agentmail.sandbox.models import Message
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider


def _reply(provider: Provider, message_id: str, body: Any, call: str = "reply") -> Any:
    return provider.call("POST", f"/inboxes/{INBOX}/messages/{quote(message_id, safe='')}/{call}", body)


def _get(provider: Provider, message_id: str) -> Any:
    return provider.call("GET", f"/inboxes/{INBOX}/messages/{quote(message_id, safe='')}").json()


def test_sending_answers_with_two_ids_only_and_the_mail_has_every_required_field(provider: Provider) -> None:
    answer = provider.send(
        {
            "to": "Maya Chen <maya@supplier.example>",
            "cc": ["c@x.example"],
            "reply_to": "r@x.example",
            "subject": "W-9",
            "text": "Please send it.",
            "html": "<p>Please</p>",
            "labels": ["Offload-1"],
            "headers": {"Auto-Submitted": "auto-generated"},
            "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"hi").decode()}],
            "unknown": 1,
        }
    )
    assert answer.status_code == 200
    assert answer.json().keys() == {"message_id", "thread_id"}
    message = _get(provider, answer.json()["message_id"])
    attachment = message.pop("attachments")[0]
    for moment in ("timestamp", "created_at", "updated_at"):
        assert message.pop(moment).endswith("Z")
    assert message == {
        "inbox_id": INBOX,
        "thread_id": answer.json()["thread_id"],
        "message_id": answer.json()["message_id"],
        "labels": ["sent", "offload-1"],
        "from": INBOX,
        "to": ["Maya Chen <maya@supplier.example>"],
        "cc": ["c@x.example"],
        "reply_to": ["r@x.example"],
        "subject": "W-9",
        "preview": "Please send it.",
        "text": "Please send it.",
        "html": "<p>Please</p>",
        "headers": {"Auto-Submitted": "auto-generated"},
        "size": len("Please send it.") + len("<p>Please</p>") + 2,
    }
    assert attachment.pop("attachment_id")
    assert attachment == {
        "size": 2,
        "filename": "a.txt",
        "content_type": "application/octet-stream",
        "content_disposition": "attachment",
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"subject": "s"}, 422, "unprocessable"),
        ({"to": []}, 422, "unprocessable"),
        ({"to": "nobody"}, 400, "validation_error"),
        ({"to": "a@b.example\nBcc: c@d.example"}, 400, "validation_error"),
        ({"to": [f"a{n}@b.example" for n in range(51)]}, 400, "validation_error"),
        ({"to": "a@b.example", "subject": "a\nb"}, 400, "validation_error"),
        ({"to": "a@b.example", "text": 5}, 400, "validation_error"),
        ({"to": "a@b.example", "labels": [1]}, 400, "validation_error"),
        ({"to": "a@b.example", "attachments": [{"content": "%%%"}]}, 400, "validation_error"),
        ({"to": "a@b.example", "attachments": [{"filename": "a"}]}, 400, "validation_error"),
        ({"to": "a@b.example", "attachments": [{"url": "http://x.example/a"}]}, 403, "message_rejected"),
        ({"to": "a@b.example", "text": "a\x00b"}, 400, "validation_error"),
        ("{", 400, "validation_error"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_and_not_stored(
    provider: Provider, body: Any, status: int, code: str
) -> None:
    answer = provider.send(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Message.objects.count() == 0


def test_fifty_recipients_are_allowed(provider: Provider) -> None:
    assert provider.send({"to": [f"a{n}@b.example" for n in range(50)]}).status_code == 200


def test_a_validation_error_names_its_field(provider: Provider) -> None:
    answer = provider.send({"to": ["a@b.example", "nobody"]})
    assert answer.json()["name"] == "ValidationError"
    assert [error["path"] for error in answer.json()["errors"]] == [["to", 1]]


def test_a_reply_stays_in_the_thread_and_answers_the_original_sender(provider: Provider, control: Control) -> None:
    sent = provider.send().json()
    received = control.post(
        "inbound", {"thread_id": sent["thread_id"], "from": "Maya <maya@supplier.example>", "text": "Which form?"}
    ).json()
    answer = _reply(provider, received["message_id"], {"text": "The W-9."}).json()
    assert answer["thread_id"] == sent["thread_id"]
    message = _get(provider, answer["message_id"])
    assert message["to"] == ["Maya <maya@supplier.example>"]
    assert message["subject"] == "Re: W-9"
    assert message["in_reply_to"] == received["message_id"]
    assert message["references"] == [sent["message_id"], received["message_id"]]


def test_a_reply_to_ones_own_mail_goes_to_the_named_recipient_or_the_same_people(provider: Provider) -> None:
    sent = provider.send().json()
    named = _reply(provider, sent["message_id"], {"text": "Reminder", "to": "maya@other.example"}).json()
    unnamed = _reply(provider, sent["message_id"], {"text": "Reminder"}).json()
    assert _get(provider, named["message_id"])["to"] == ["maya@other.example"]
    assert _get(provider, unnamed["message_id"])["to"] == ["Maya Chen <maya@supplier.example>"]


def test_reply_all_reaches_everybody_but_the_inbox_itself(provider: Provider, control: Control) -> None:
    received = control.post("inbound", {"from": "maya@supplier.example", "cc": ["boss@x.example"], "text": "Hi"}).json()
    for call, body in (("reply-all", {"text": "a"}), ("reply", {"text": "a", "reply_all": True})):
        message = _get(provider, _reply(provider, received["message_id"], body, call).json()["message_id"])
        assert message["to"] == ["maya@supplier.example"]
        assert message["cc"] == ["boss@x.example"]


def test_recipients_and_reply_all_exclude_each_other(provider: Provider) -> None:
    sent = provider.send().json()
    answer = _reply(provider, sent["message_id"], {"text": "a", "to": "a@b.example", "reply_all": True})
    assert answer.status_code == 400
    assert Message.objects.count() == 1


def test_replying_to_an_unknown_message_or_inbox_is_a_404(provider: Provider) -> None:
    assert _reply(provider, "<nothing@x.example>", {"text": "a"}).json()["message"] == "Message not found"
    answer = provider.call("POST", "/inboxes/other@x.example/messages/send", {"to": "a@b.example"})
    assert answer.json()["message"] == "Inbox not found"


def test_an_address_that_bounced_for_good_is_refused_until_the_block_is_lifted(
    provider: Provider, control: Control
) -> None:
    sent = provider.send().json()
    control.post("bounce", {"message_id": sent["message_id"]})
    refused = provider.send({"to": "other@x.example", "cc": "MAYA@supplier.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "message_rejected")
    assert "maya@supplier.example is on the send block list" in refused.json()["message"]
    assert refused.json()["fix"]
    assert Message.objects.count() == 1
    assert control.delete("blocked") == {"addresses": []}
    assert provider.send().status_code == 200


def test_a_transient_bounce_blocks_nobody(provider: Provider, control: Control) -> None:
    control.post("bounce", {"message_id": provider.send().json()["message_id"], "type": "Transient"})
    assert provider.send().status_code == 200
