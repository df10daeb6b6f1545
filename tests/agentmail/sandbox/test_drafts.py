"""Drafts: made once, listed, deleted, and sent at most once."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from agentmail.sandbox.models import Delivery, Draft, Message, Thread
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider

DRAFTS = f"/inboxes/{INBOX}/drafts"
MAIL = {"to": "maya@supplier.example", "subject": "W-9", "text": "Please send it."}
NOWHERE = "00000000-0000-4000-8000-000000000000"


def _create(provider: Provider, body: Any) -> Any:
    return provider.call("POST", DRAFTS, body)


def _send(provider: Provider, draft: Any, body: Any = None, **headers: str) -> Any:
    return provider.call("POST", f"{DRAFTS}/{draft['draft_id']}/send", body, **headers)


def _get_message(provider: Provider, message_id: str) -> Any:
    return provider.call("GET", f"/inboxes/{INBOX}/messages/{quote(message_id, safe='')}").json()


def test_a_draft_has_every_field_it_was_given_and_nothing_is_sent(provider: Provider) -> None:
    answer = _create(
        provider,
        MAIL
        | {
            "cc": ["c@x.example"],
            "bcc": "b@x.example",
            "reply_to": ["r@x.example"],
            "html": "<p>Please</p>",
            "labels": ["Offload-1"],
            "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"hi").decode()}],
            "client_id": "d-1",
        },
    )
    assert answer.status_code == 200
    draft = answer.json()
    assert provider.call("GET", f"{DRAFTS}/{draft['draft_id']}").json() == draft
    assert draft.pop("draft_id")
    assert draft["attachments"][0].pop("attachment_id")
    for moment in ("created_at", "updated_at"):
        assert draft.pop(moment).endswith("Z")
    assert draft == {
        "inbox_id": INBOX,
        "client_id": "d-1",
        "labels": ["offload-1"],
        "to": ["maya@supplier.example"],
        "cc": ["c@x.example"],
        "bcc": ["b@x.example"],
        "reply_to": ["r@x.example"],
        "subject": "W-9",
        "preview": "Please send it.",
        "text": "Please send it.",
        "html": "<p>Please</p>",
        "attachments": [
            {
                "size": 2,
                "filename": "a.txt",
                "content_type": "application/octet-stream",
                "content_disposition": "attachment",
            }
        ],
    }
    assert (Message.objects.count(), Delivery.objects.count()) == (0, 0)


def test_the_same_client_id_again_answers_with_the_first_draft(provider: Provider) -> None:
    first = _create(provider, MAIL | {"client_id": "d-1"}).json()
    second = _create(provider, {"to": "other@x.example", "client_id": "d-1"})
    assert (second.status_code, second.json()) == (200, first)
    assert _create(provider, MAIL).json()["draft_id"] != _create(provider, MAIL).json()["draft_id"]
    assert Draft.objects.count() == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "nobody"}, 400, "validation_error"),
        ({"to": [f"a{n}@b.example" for n in range(50)], "cc": "c@b.example"}, 400, "validation_error"),
        ({"subject": "a\nb"}, 400, "validation_error"),
        ({"client_id": "a@b"}, 400, "validation_error"),
        ({"attachments": [{"content": "%%%"}]}, 400, "validation_error"),
        ({"attachments": [{"url": "http://x.example/a"}]}, 403, "message_rejected"),
        ({"in_reply_to": "<nothing@x.example>"}, 404, "not_found"),
    ],
)
def test_a_draft_that_cannot_be_sent_is_refused_and_not_stored(
    provider: Provider, body: Any, status: int, code: str
) -> None:
    answer = _create(provider, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Draft.objects.count() == 0


def test_drafts_are_listed_newest_first_in_pages_and_per_inbox(provider: Provider) -> None:
    other = provider.call("POST", "/inboxes", {"username": "other"}).json()["inbox_id"]
    provider.call("POST", f"/inboxes/{other}/drafts", MAIL)
    drafts = [_create(provider, MAIL | {"subject": subject}).json() for subject in ("a", "b", "c")]
    page = provider.call("GET", f"{DRAFTS}?limit=2").json()
    assert (page["count"], page["limit"], page["drafts"]) == (2, 2, [drafts[2], drafts[1]])
    rest = provider.call("GET", f"{DRAFTS}?limit=2&page_token={page['next_page_token']}").json()
    assert rest == {"count": 1, "limit": 2, "drafts": [drafts[0]]}


def test_a_deleted_draft_is_gone_and_was_not_sent(provider: Provider) -> None:
    draft = _create(provider, MAIL).json()
    path = f"{DRAFTS}/{draft['draft_id']}"
    answer = provider.call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    for method, gone in (("GET", path), ("DELETE", path), ("POST", f"{path}/send")):
        refused = provider.call(method, gone)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert Message.objects.count() == 0


@pytest.mark.parametrize("draft_id", [NOWHERE, "not-a-uuid"])
def test_a_draft_that_does_not_exist_is_not_sent(provider: Provider, draft_id: str) -> None:
    answer = _send(provider, {"draft_id": draft_id}, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["message"]) == (404, "Draft not found")
    assert Message.objects.count() == 0


def test_a_draft_is_not_found_under_another_inbox(provider: Provider) -> None:
    other = provider.call("POST", "/inboxes", {"username": "other"}).json()["inbox_id"]
    draft = _create(provider, MAIL).json()
    path = f"/inboxes/{other}/drafts/{draft['draft_id']}"
    for method, foreign in (("GET", path), ("DELETE", path), ("POST", f"{path}/send")):
        assert provider.call(method, foreign).status_code == 404
    assert (Draft.objects.count(), Message.objects.count()) == (1, 0)


def test_a_sent_draft_is_a_mail_with_all_its_parts_and_a_draft_no_more(provider: Provider) -> None:
    file = {"filename": "a.txt", "content_type": "text/plain", "content": base64.b64encode(b"hi").decode()}
    draft = _create(provider, MAIL | {"bcc": "b@x.example", "labels": ["a", "b"], "attachments": [file]}).json()
    answer = _send(provider, draft, {"add_labels": ["New"], "remove_labels": "B"})
    assert answer.status_code == 200
    assert answer.json().keys() == {"message_id", "thread_id"}
    message = _get_message(provider, answer.json()["message_id"])
    assert message["thread_id"] == answer.json()["thread_id"]
    assert (message["to"], message["bcc"]) == (["maya@supplier.example"], ["b@x.example"])
    assert (message["subject"], message["text"]) == ("W-9", "Please send it.")
    assert message["labels"] == ["sent", "a", "new"]
    assert message["attachments"][0]["filename"] == "a.txt"
    assert bytes(Message.objects.get().attachments.get().content) == b"hi"
    assert Draft.objects.count() == 0


def test_a_second_send_without_a_key_is_a_404_and_sends_nothing(provider: Provider) -> None:
    draft = _create(provider, MAIL).json()
    assert _send(provider, draft).status_code == 200
    answer = _send(provider, draft)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Message.objects.count() == 1


def test_a_second_send_with_the_same_key_answers_the_same_and_sends_nothing(provider: Provider) -> None:
    draft = _create(provider, MAIL).json()
    first = _send(provider, draft, Idempotency_Key="k")
    deliveries = Delivery.objects.count()
    second = _send(provider, draft, Idempotency_Key="k")
    assert (second.status_code, second.json()) == (200, first.json())
    assert (Message.objects.count(), Thread.objects.count(), Delivery.objects.count()) == (1, 1, deliveries)
    assert Message.objects.get().idempotency_key == "k"


def test_the_key_of_another_draft_is_a_conflict_and_the_draft_stays(provider: Provider) -> None:
    _send(provider, _create(provider, MAIL).json(), Idempotency_Key="k")
    answer = _send(provider, _create(provider, MAIL).json(), Idempotency_Key="k")
    assert (answer.status_code, answer.json()["name"]) == (409, "IdempotencyKeyConflictError")
    assert (Draft.objects.count(), Message.objects.count()) == (1, 1)


def test_a_malformed_key_is_refused_and_the_draft_stays(provider: Provider) -> None:
    answer = _send(provider, _create(provider, MAIL).json(), Idempotency_Key="a b")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert (Draft.objects.count(), Message.objects.count()) == (1, 0)


def test_a_draft_without_recipients_is_kept_but_not_sent(provider: Provider) -> None:
    draft = _create(provider, {"subject": "W-9"}).json()
    answer = _send(provider, draft, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
    assert provider.call("GET", f"{DRAFTS}/{draft['draft_id']}").json() == draft
    assert Message.objects.count() == 0


def test_a_send_fault_meets_a_draft_too(provider: Provider, control: Control) -> None:
    draft = _create(provider, MAIL).json()
    control.post("faults", {"send": ["503", "accept_then_500"]})
    assert _send(provider, draft, Idempotency_Key="k").status_code == 503
    assert (Draft.objects.count(), Message.objects.count()) == (1, 0)
    assert _send(provider, draft, Idempotency_Key="k").status_code == 500
    assert (Draft.objects.count(), Message.objects.count()) == (0, 1)
    answer = _send(provider, draft, Idempotency_Key="k")
    assert answer.json()["message_id"] == Message.objects.get().message_id


def test_a_reply_draft_keeps_the_thread_as_a_reply_does(provider: Provider, control: Control) -> None:
    sent = provider.send().json()
    received = control.post("inbound", {"thread_id": sent["thread_id"], "text": "Yes.", "from": "m@x.example"}).json()
    references = [sent["message_id"], received["message_id"]]
    draft = _create(provider, {"in_reply_to": received["message_id"], "text": "Thanks."}).json()
    assert (draft["in_reply_to"], draft["references"]) == (received["message_id"], references)
    answer = _send(provider, draft).json()
    assert answer["thread_id"] == sent["thread_id"]
    message = _get_message(provider, answer["message_id"])
    assert (message["in_reply_to"], message["references"]) == (received["message_id"], references)
    assert (message["to"], message["subject"]) == (["m@x.example"], "Re: W-9")
    assert Thread.objects.count() == 1


def test_a_reply_draft_goes_to_whom_it_names_with_its_own_subject(provider: Provider) -> None:
    sent = provider.send().json()
    draft = _create(provider, {"in_reply_to": sent["message_id"], "to": "new@x.example", "subject": "Again"}).json()
    message = _get_message(provider, _send(provider, draft).json()["message_id"])
    assert (message["thread_id"], message["in_reply_to"]) == (sent["thread_id"], sent["message_id"])
    assert (message["to"], message["subject"]) == (["new@x.example"], "Again")
