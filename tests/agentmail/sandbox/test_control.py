"""The sandbox's own API: playing the counterparty by script."""

import base64
from typing import Any

import pytest
from django.test import Client

from agentmail.sandbox.courier import carry_one
from agentmail.sandbox.models import BlockedAddress, Delivery, Message, Thread
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider, Receiver


def _last_event(receiver: Receiver) -> Any:
    while carry_one():
        pass
    return receiver.events[-1]


def test_livez_answers_ok() -> None:
    answer = Client().get("/sandbox/livez")
    assert (answer.status_code, answer.content) == (200, b"ok")


def test_a_reply_comes_from_the_threads_counterparty_and_answers_the_last_mail(
    provider: Provider, control: Control
) -> None:
    first = provider.send().json()
    provider.call(
        "POST", f"/inboxes/{INBOX}/messages/{first['message_id']}/reply", {"text": "b", "to": "maya@supplier.example"}
    )
    answer = control.post("inbound", {"thread_id": first["thread_id"], "text": "Yes"})
    assert answer.status_code == 200
    message = control.get(f"messages?thread_id={first['thread_id']}")["messages"][-1]
    assert answer.json() == {"message_id": message["message_id"], "thread_id": first["thread_id"]}
    sent = control.get("outbox")["messages"]
    # The follow-up was addressed without the name; the first mail knew it.
    assert message["from"] == "Maya Chen <maya@supplier.example>"
    assert message["to"] == [INBOX]
    assert message["subject"] == "Re: W-9"
    assert message["in_reply_to"] == sent[1]["message_id"]
    assert message["references"] == [sent[0]["message_id"], sent[1]["message_id"]]
    assert message["direction"] == "inbound"


def test_everything_about_a_reply_can_be_said(provider: Provider, control: Control) -> None:
    sent = provider.send().json()
    control.post(
        "inbound",
        {
            "thread_id": sent["thread_id"],
            "from": "Boss <boss@x.example>",
            "cc": ["c@x.example"],
            "subject": "Other",
            "text": "a",
            "html": "<p>a</p>",
            "in_reply_to": "<else@x.example>",
            "headers": {"Auto-Submitted": "auto-replied"},
            "message_id": "<mine@x.example>",
            "authentication_results": {"dmarc": "fail"},
            "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"hi").decode()}],
        },
    )
    message = control.get("messages")["messages"][-1]
    assert message["from"] == "Boss <boss@x.example>"
    assert (message["cc"], message["subject"]) == (["c@x.example"], "Other")
    assert (message["text"], message["html"]) == ("a", "<p>a</p>")
    assert (message["in_reply_to"], message["references"]) == ("<else@x.example>", ["<else@x.example>"])
    assert message["headers"] == {"Auto-Submitted": "auto-replied"}
    assert message["message_id"] == "<mine@x.example>"
    assert message["authentication_results"] == {"dmarc": "fail"}
    assert [(file["filename"], file["size"]) for file in message["attachments"]] == [("a.txt", 2)]


def test_a_reply_without_a_thread_is_matched_by_the_mail_it_answers(provider: Provider, control: Control) -> None:
    sent = provider.send().json()
    answer = control.post("inbound", {"in_reply_to": sent["message_id"], "text": "Yes"}).json()
    assert answer["thread_id"] == sent["thread_id"]


def test_a_new_thread_is_made_for_a_fresh_mail_an_unknown_original_or_on_demand(
    provider: Provider, control: Control
) -> None:
    sent = provider.send().json()
    fresh = {"from": "maya@supplier.example", "text": "a"}
    for body in (
        fresh,
        fresh | {"in_reply_to": "<unknown@x.example>"},
        fresh | {"in_reply_to": sent["message_id"], "new_thread": True},
    ):
        assert control.post("inbound", body).json()["thread_id"] != sent["thread_id"]
    assert Thread.objects.count() == 4
    assert control.get("messages")["messages"][-1]["in_reply_to"] == sent["message_id"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, []),
        ({"text": "a"}, ["from"]),
        ({"text": 1, "from": "m@x.example"}, ["text"]),
        ({"text": "a", "from": "nobody"}, ["from"]),
        ({"text": "a", "thread_id": "nothing"}, ["thread_id"]),
        ({"text": "a", "thread_id": "00000000-0000-0000-0000-000000000000"}, ["thread_id"]),
        ({"text": "a", "inbox_id": "other@x.example", "from": "m@x.example"}, ["inbox_id"]),
        ({"text": "a", "from": "m@x.example", "variant": "virus"}, ["variant"]),
        ({"text": "a", "from": "m@x.example", "sender": "m@x.example"}, ["sender"]),
        ({"text": "a", "from": "m@x.example", "subject": "a\nb"}, ["subject"]),
        ({"text": "a", "from": "m@x.example", "attachments": [{"filename": "a"}]}, ["attachments", 0, "content"]),
        (
            {"text": "a", "from": "m@x.example", "attachments": [{"filename": "a", "content": "%"}]},
            ["attachments", 0, "content"],
        ),
        ({"text": "a\x00", "from": "m@x.example"}, ["text"]),
        ([], []),
    ],
)
def test_a_reply_that_cannot_be_received_is_refused_by_field_and_nothing_happens(
    control: Control, body: Any, path: Any
) -> None:
    answer = control.post("inbound", body)
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["error"]["errors"]] == [path]
    assert (Message.objects.count(), Thread.objects.count(), Delivery.objects.count()) == (0, 0, 0)


def test_a_message_id_is_taken_once_per_inbox(control: Control) -> None:
    body = {"text": "a", "from": "m@x.example", "message_id": "<mine@x.example>"}
    assert control.post("inbound", body).status_code == 200
    again = control.post("inbound", body)
    assert again.status_code == 400
    assert again.json()["error"]["errors"][0]["path"] == ["message_id"]
    assert Message.objects.count() == 1


@pytest.mark.usefixtures("_defaults")
@pytest.mark.parametrize("path", ["inbound", "bounce", "complaint", "reject", "faults", "clock"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_change_must_be_declared_as_json(path: str, content_type: str) -> None:
    # A page of another origin may send these content types without asking, so they must do nothing.
    answer = Client().generic("POST", f"/sandbox/{path}", b'{"send": ["503"]}', content_type=content_type)
    assert answer.status_code == 415
    assert answer.json()["error"]["errors"][0]["path"] == ["Content-Type"]


@pytest.mark.usefixtures("_defaults")
def test_another_origin_is_never_told_that_it_may_ask() -> None:
    answer = Client().options("/sandbox/inbound", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_permanent_bounce_is_reported_and_blocks_the_address(
    provider: Provider, control: Control, receiver: Receiver
) -> None:
    sent = provider.send().json()
    assert control.post("bounce", {"message_id": sent["message_id"]}).json() == sent
    event = _last_event(receiver)
    assert event["event_type"] == "message.bounced"
    assert event["bounce"].pop("timestamp").endswith("Z")
    assert event["bounce"] == sent | {
        "inbox_id": INBOX,
        "type": "Permanent",
        "sub_type": "General",
        "recipients": [{"address": "maya@supplier.example", "status": "5.1.1"}],
    }
    assert control.get("blocked") == {"addresses": [{"address": "maya@supplier.example", "reason": "bounced"}]}
    assert control.get("outbox")["messages"][0]["failure"] == "bounced (permanent)"


def test_an_address_that_is_blocked_by_hand_gets_nothing(provider: Provider, control: Control) -> None:
    control.post("blocked", {"address": "Maya Lin <maya@supplier.example>"})
    assert control.get("blocked") == {"addresses": [{"address": "maya@supplier.example", "reason": "blocked"}]}
    refused = provider.send()
    assert (refused.status_code, refused.json()["code"]) == (403, "message_rejected")
    assert control.get("outbox")["count"] == 0


def test_a_transient_bounce_names_its_type_and_its_recipients(
    provider: Provider, control: Control, receiver: Receiver
) -> None:
    sent = provider.send().json()
    body = {"type": "Transient", "sub_type": "MailboxFull", "recipients": "other@x.example"}
    control.post("bounce", body | {"message_id": sent["message_id"]})
    bounce = _last_event(receiver)["bounce"]
    assert (bounce["type"], bounce["sub_type"]) == ("Transient", "MailboxFull")
    assert bounce["recipients"] == [{"address": "other@x.example", "status": "4.4.7"}]
    assert BlockedAddress.objects.count() == 0


def test_a_complaint_is_reported_and_blocks_the_address(
    provider: Provider, control: Control, receiver: Receiver
) -> None:
    sent = provider.send().json()
    control.post("complaint", {"message_id": sent["message_id"]})
    event = _last_event(receiver)
    assert event["event_type"] == "message.complained"
    assert (event["complaint"]["type"], event["complaint"]["sub_type"]) == ("abuse", "spam")
    assert event["complaint"]["recipients"] == ["maya@supplier.example"]
    assert control.get("blocked")["addresses"][0]["reason"] == "complained"


def test_a_rejection_is_reported_with_its_reason(provider: Provider, control: Control, receiver: Receiver) -> None:
    sent = provider.send().json()
    control.post("reject", {"message_id": sent["message_id"], "reason": "Virus"})
    event = _last_event(receiver)
    assert event["event_type"] == "message.rejected"
    assert event["reject"]["reason"] == "Virus"


@pytest.mark.parametrize("path", ["bounce", "complaint", "reject"])
def test_only_a_mail_that_was_sent_can_fail(control: Control, path: str) -> None:
    received = control.post("inbound", {"from": "m@x.example", "text": "a"}).json()
    before = Delivery.objects.count()
    for body in ({"message_id": received["message_id"]}, {"message_id": "<no@x.example>"}, {}):
        answer = control.post(path, body)
        assert answer.status_code == 400
        assert answer.json()["error"]["errors"][0]["path"] == ["message_id"]
    assert Delivery.objects.count() == before


def test_the_outbox_shows_every_mail_in_order_with_what_identifies_it(provider: Provider, control: Control) -> None:
    mail = {"to": "Maya <maya@supplier.example>", "subject": "a", "text": "b", "labels": ["offload-1"]}
    sent = provider.send(mail, Idempotency_Key="k-1").json()
    provider.send({"to": "other@x.example", "subject": "c"})
    control.post("inbound", {"from": "m@x.example", "text": "not sent by us"})
    outbox = control.get("outbox")
    assert outbox["count"] == 2
    assert [message["subject"] for message in outbox["messages"]] == ["a", "c"]
    first = outbox["messages"][0]
    assert first.pop("sent_at").endswith("Z")
    assert first == sent | {
        "inbox_id": INBOX,
        "to": ["Maya <maya@supplier.example>"],
        "cc": [],
        "bcc": [],
        "subject": "a",
        "text": "b",
        "html": None,
        "in_reply_to": "",
        "headers": {},
        "labels": ["sent", "offload-1"],
        "idempotency_key": "k-1",
        "attachments": [],
        "failure": "",
    }
    assert [message["subject"] for message in control.get("outbox?to=MAYA@supplier.example")["messages"]] == ["a"]
    assert control.get(f"outbox?thread_id={sent['thread_id']}")["count"] == 1
    assert control.get("outbox?to=aya@supplier.example")["count"] == 0


def test_messages_of_a_thread_that_is_no_uuid_are_refused(control: Control) -> None:
    assert control.get("messages?thread_id=x")["error"]["errors"][0]["path"] == ["thread_id"]


def test_the_clock_moves_on_and_back(control: Control) -> None:
    assert control.get("clock")["offset_seconds"] == 0
    assert control.post("clock", {"hours": 2.5}).json()["offset_seconds"] == 9000
    assert control.post("clock", {"hours": -1}).json()["offset_seconds"] == 5400
    assert control.post("clock", {"hours": 1e9}).status_code == 400
    assert control.get("clock")["offset_seconds"] == 5400
    assert control.post("clock", {"reset": True}).json()["offset_seconds"] == 0


def test_waiting_and_finished_deliveries_are_shown(provider: Provider, control: Control) -> None:
    provider.send()
    assert control.get("webhooks")["pending"] == 2
    while carry_one():
        pass
    shown = control.get("webhooks")
    assert shown["pending"] == 0
    assert [(row["event_type"], row["state"], row["attempts"]) for row in shown["deliveries"]] == [
        ("message.delivered", "delivered", 1),
        ("message.sent", "delivered", 1),
    ]
