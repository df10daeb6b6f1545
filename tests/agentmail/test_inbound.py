"""Webhook events become values, whatever shape they come in."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmail.inbound import (
    AttachmentInfo,
    AutomaticKind,
    DeliveryReport,
    EventKind,
    InboundMail,
    ReportKind,
    Variant,
    best_text,
    find_dmarc,
    parse_event,
    parse_message,
)
from tests.agentmail.conftest import INBOX, parse, received, reported


def read(**members: Any) -> InboundMail:
    mail = parse(received(**members)).mail
    assert mail is not None
    return mail


def test_a_received_mail_is_read_completely() -> None:
    event = received(
        "<a/b@northwind.example>",
        "thr_9",
        event_id="evt_9",
        html="<p>Here it is.</p>",
        in_reply_to="<0100@agentmail.to>",
        references=["<0099@agentmail.to>", "<0100@agentmail.to>"],
        headers={"X-Mailer": "Pine"},
        attachments=[
            {"attachment_id": "att_1", "filename": "w9.pdf", "content_type": "application/pdf", "size": 12_345}
        ],
        authentication_results={"dmarc": "pass"},
    )

    parsed = parse_event(json.dumps(event).encode(), "msg_9")

    assert (parsed.event_id, parsed.svix_id, parsed.event_type) == ("evt_9", "msg_9", "message.received")
    assert (parsed.kind, parsed.payload, parsed.report, parsed.note) == (EventKind.MAIL, event, None, "")
    assert (parsed.inbox_id, parsed.thread_id, parsed.message_id) == (INBOX, "thr_9", "<a/b@northwind.example>")
    assert parsed.mail == InboundMail(
        inbox_id=INBOX,
        message_id="<a/b@northwind.example>",
        thread_id="thr_9",
        from_address="maya@northwind.example",
        from_name="Maya Chen",
        to=(INBOX,),
        subject="Re: Your W-9 form",
        text="Here it is.",
        html="<p>Here it is.</p>",
        extracted_text="Here it is.",
        in_reply_to="<0100@agentmail.to>",
        references=("<0099@agentmail.to>", "<0100@agentmail.to>"),
        headers={"x-mailer": "Pine"},
        attachments=(AttachmentInfo("att_1", "w9.pdf", "application/pdf", 12_345),),
        sent_at=datetime(2026, 11, 24, 9, 58, 30, tzinfo=UTC),
        variant=Variant.NONE,
        authentication={"dmarc": "pass"},
        automatic=AutomaticKind.NONE,
    )


@pytest.mark.parametrize(
    ("event_type", "labels", "variant"),
    [
        ("message.received", ["received"], Variant.NONE),
        ("message.received.spam", ["spam"], Variant.SPAM),
        ("message.received.blocked", ["blocked"], Variant.BLOCKED),
        ("message.received.unauthenticated", ["unauthenticated"], Variant.UNAUTHENTICATED),
        ("message.received", ["Unauthenticated", "received"], Variant.UNAUTHENTICATED),
        ("message.received", "spam", Variant.SPAM),
        ("message.received", [7, None], Variant.NONE),
    ],
)
def test_the_providers_judgement_is_the_variant(event_type: str, labels: Any, variant: Variant) -> None:
    assert read(event_type=event_type, labels=labels).variant is variant


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ("maya@northwind.example", "", "maya@northwind.example"),
        ("Maya Chen <maya@northwind.example>", "Maya Chen", "maya@northwind.example"),
        ('"Chen, \\"M\\" Maya" <maya@northwind.example>', 'Chen, "M" Maya', "maya@northwind.example"),
        ("<maya@northwind.example>", "", "maya@northwind.example"),
        ('"boss@northwind.example" <thief@evil.example>', "boss@northwind.example", "thief@evil.example"),
        ("a <b@x.example> <thief@evil.example>", "a <b@x.example>", "thief@evil.example"),
        (["Maya <maya@northwind.example>"], "Maya", "maya@northwind.example"),
        ([{"name": "Maya", "email": "maya@northwind.example"}], "Maya", "maya@northwind.example"),
        ({"name": "Maya", "address": "maya@northwind.example"}, "Maya", "maya@northwind.example"),
        ("Maya\r\nBcc: x <maya@northwind.example>", "Maya Bcc: x", "maya@northwind.example"),
        ([], "", ""),
        (None, "", ""),
        (7, "", ""),
        ("(" * 3000, "", "(" * 3000),
    ],
)
def test_every_documented_form_of_a_sender_is_read(sender: Any, name: str, address: str) -> None:
    mail = read(**{"from": sender})

    assert (mail.from_name, mail.from_address) == (name, address)


def test_the_other_spelling_of_from_is_read() -> None:
    event = received()
    event["message"]["from_"] = event["message"].pop("from")

    mail = parse(event).mail

    assert mail is not None
    assert mail.from_address == "maya@northwind.example"


def test_odd_members_of_a_message_are_passed_over() -> None:
    mail = read(
        to={"a": 1},
        subject=None,
        text=["a"],
        extracted_text=7,
        in_reply_to=["x"],
        references={"a": 1},
        headers=["a"],
        attachments=[7, {}, {"attachment_id": ""}, {"attachment_id": "a", "size": -1, "filename": 3}],
        timestamp="yesterday",
        authentication_results="pass",
    )

    assert (mail.to, mail.subject, mail.text, mail.in_reply_to, mail.references) == ((), "", "", "", ())
    assert (mail.headers, mail.sent_at, mail.authentication) == ({}, None, None)
    assert mail.attachments == (AttachmentInfo("a", "", "", 0),)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\w9.pdf", "w9.pdf"),
        ("w9\x00\r\n.pdf", "w9\ufffd .pdf"),
        ("..", ""),
        ("a" * 300 + ".pdf", "a" * 251 + ".pdf"),
    ],
)
def test_an_attachments_name_has_no_folder_and_no_break(filename: str, expected: str) -> None:
    mail = read(attachments=[{"attachment_id": "a", "filename": filename, "size": 1}])

    assert mail.attachments[0].filename == expected


def test_ancestors_come_from_the_headers_when_the_members_are_absent() -> None:
    mail = read(headers={"In-Reply-To": " <1@x.example> ", "References": "<0@x.example>\r\n <1@x.example>"})

    assert mail.in_reply_to == "<1@x.example>"
    assert mail.references == ("<0@x.example>", "<1@x.example>")


def test_of_many_references_the_first_and_the_last_are_kept() -> None:
    mail = read(references=[f"<{n}@x.example>" for n in range(500)] + ["<" + "a" * 2000 + ">"])

    assert len(mail.references) == 100
    assert (mail.references[0], mail.references[1], mail.references[-1]) == (
        "<0@x.example>",
        "<401@x.example>",
        "<499@x.example>",
    )


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"extracted_text": "new", "text": "new\n> old", "html": "<p>new</p>"}, "new"),
        ({"extracted_text": " ", "text": "whole", "html": "<p>html</p>"}, "whole"),
        ({"extracted_text": "", "text": "", "extracted_html": "<p>part</p>", "html": "<p>part</p><p>old</p>"}, "part"),
        ({"extracted_text": None, "text": None, "html": "<p>Hello<br>Ada</p>"}, "Hello\nAda"),
        ({"extracted_text": None, "text": None}, ""),
    ],
)
def test_the_best_text_is_what_the_sender_wrote(members: dict[str, Any], text: str) -> None:
    assert best_text(read(**members)) == text


def test_a_mail_from_our_own_inbox_is_marked_so() -> None:
    assert read(**{"from": f"Agent <{INBOX.upper()}>"}).automatic is AutomaticKind.OWN_ADDRESS


def test_an_automatic_mail_is_known_by_its_headers_and_its_html() -> None:
    mail = read(
        headers={"Auto-Submitted": "auto-replied"}, text="", extracted_text="", html="<p>I am on annual leave.</p>"
    )

    assert mail.automatic is AutomaticKind.OUT_OF_OFFICE


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            reported(
                "bounced",
                "<1@agentmail.to>",
                "t-1",
                type="Permanent",
                sub_type="General",
                recipients=[{"address": "Maya@Northwind.example", "status": "5.1.1"}],
            ),
            DeliveryReport(
                ReportKind.BOUNCED,
                INBOX,
                "t-1",
                "<1@agentmail.to>",
                ("maya@northwind.example",),
                "Permanent · General · 5.1.1",
                False,
                datetime(2026, 11, 24, 9, 59, tzinfo=UTC),
            ),
        ),
        (
            reported("bounced", "<1@agentmail.to>", "t-1", type="transient", recipients="none"),
            DeliveryReport(
                ReportKind.BOUNCED,
                INBOX,
                "t-1",
                "<1@agentmail.to>",
                (),
                "transient",
                True,
                datetime(2026, 11, 24, 9, 59, tzinfo=UTC),
            ),
        ),
        (
            reported(
                "complained",
                "<1@agentmail.to>",
                "t-1",
                type="abuse",
                sub_type="spam",
                recipients=["Maya <maya@northwind.example>"],
                timestamp=None,
            ),
            DeliveryReport(
                ReportKind.COMPLAINED,
                INBOX,
                "t-1",
                "<1@agentmail.to>",
                ("maya@northwind.example",),
                "abuse · spam",
                False,
                None,
            ),
        ),
        (
            reported("rejected", "<1@agentmail.to>", "", reason="Virus\r\nfound", type="Transient"),
            DeliveryReport(
                ReportKind.REJECTED,
                INBOX,
                "",
                "<1@agentmail.to>",
                (),
                "Transient · Virus found",
                False,
                datetime(2026, 11, 24, 9, 59, tzinfo=UTC),
            ),
        ),
    ],
)
def test_a_failed_delivery_is_read(event: dict[str, Any], expected: DeliveryReport) -> None:
    parsed = parse(event)

    assert parsed.kind is EventKind.REPORT
    assert parsed.report == expected


@pytest.mark.parametrize(("event_type", "name"), [("sent", "send"), ("delivered", "delivery"), ("opened", "open")])
def test_what_went_well_is_kept_as_evidence_with_its_ids(event_type: str, name: str) -> None:
    parsed = parse(
        {
            "event_type": f"message.{event_type}",
            "event_id": "evt_1",
            name: {"inbox_id": INBOX, "thread_id": "t-1", "message_id": "<1@agentmail.to>"},
        }
    )

    assert (parsed.kind, parsed.mail, parsed.report) == (EventKind.EVIDENCE, None, None)
    assert (parsed.inbox_id, parsed.thread_id, parsed.message_id) == (INBOX, "t-1", "<1@agentmail.to>")


@pytest.mark.parametrize(
    ("body", "payload", "note"),
    [
        (b"", {"unreadable": ""}, "unreadable (JSONDecodeError)"),
        (b"hello\x00", {"unreadable": "hello\ufffd"}, "unreadable (JSONDecodeError)"),
        (b"[]", {"unreadable": "[]"}, "no JSON object"),
        (b"null", {"unreadable": "null"}, "no JSON object"),
        (b"NaN", {"unreadable": "NaN"}, "no JSON object"),
        (b"{}", {}, "a type Offload does not read"),
        (b'{"event_type": ["message.received"]}', {"event_type": ["message.received"]}, "a type Offload does not read"),
        (b'{"event_type": "domain.verified"}', {"event_type": "domain.verified"}, "a type Offload does not read"),
        (
            b'{"event_type": "message.received"}',
            {"event_type": "message.received"},
            "a mail without inbox_id, message_id or thread_id",
        ),
        (
            b'{"event_type": "message.bounced", "bounce": []}',
            {"event_type": "message.bounced", "bounce": []},
            "a report without message_id and thread_id",
        ),
    ],
)
def test_an_odd_body_is_ignored_but_kept(body: bytes, payload: Any, note: str) -> None:
    parsed = parse_event(body, "msg_1")

    assert (parsed.kind, parsed.event_id, parsed.payload, parsed.note) == (EventKind.IGNORED, "msg_1", payload, note)


def test_a_body_nested_beyond_reading_is_ignored_but_kept() -> None:
    parsed = parse_event(b"[" * 100_000, "msg_1")

    assert (parsed.kind, parsed.note) == (EventKind.IGNORED, "unreadable (RecursionError)")
    assert parsed.payload == {"unreadable": "[" * 100_000}


@pytest.mark.parametrize("member", ["inbox_id", "message_id"])
@pytest.mark.parametrize("value", [None, "", 7, "..", "x" * 1001])
def test_a_mail_without_a_usable_id_is_ignored(member: str, value: Any) -> None:
    assert parse(received(**{member: value})).kind is EventKind.IGNORED


def test_the_threads_own_id_stands_in_for_the_messages() -> None:
    event = received(thread_id="t-7")
    del event["message"]["thread_id"]

    assert parse(event).thread_id == "t-7"


@pytest.mark.parametrize("event_id", [None, "", 7, "x" * 1001])
def test_without_an_event_id_the_delivery_identifies_the_event(event_id: Any) -> None:
    body = json.dumps({"event_id": event_id}).encode()

    assert parse_event(body, "msg_1").event_id == "msg_1"
    assert parse_event(body, "").event_id == hashlib.sha256(body).hexdigest()


def test_a_message_of_a_live_thread_takes_the_ids_of_its_thread() -> None:
    mail = parse_message({"message_id": "<1@x.example>"}, inbox_id=INBOX, thread_id="t-1")

    assert mail is not None
    assert (mail.inbox_id, mail.thread_id, mail.message_id) == (INBOX, "t-1", "<1@x.example>")
    assert parse_message({}, inbox_id=INBOX, thread_id="t-1") is None


@given(st.binary(max_size=200))
def test_no_body_raises(body: bytes) -> None:
    assert parse_event(body, "msg_1").event_id != ""


@given(
    st.sampled_from(sorted(received()["message"])),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_no_member_of_a_message_makes_it_unreadable(member: str, value: Any) -> None:
    parsed = parse(received(**{member: value}))

    assert "unreadable" not in parsed.note


@pytest.mark.parametrize(
    ("authentication", "verdict"),
    [
        (None, ""),
        ({}, ""),
        ({"spf": "fail"}, ""),
        ({"dmarc": "pass"}, "pass"),
        ({"dmarc": "FAIL (p=reject)"}, "fail"),
        ({"dmarc": {"result": "fail"}}, "fail"),
        ({"dmarc": {"status": "None"}}, "none"),
        ({"dmarc": ["fail"]}, ""),
        ({"dmarc": 5}, ""),
    ],
)
def test_a_dmarc_verdict_is_read_in_every_form_it_may_have(authentication: dict[str, Any] | None, verdict: str) -> None:
    assert find_dmarc(authentication) == verdict
