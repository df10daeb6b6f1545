"""AgentMail's API as we call it: every answer a value, every request exactly as documented."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agentmail.client import AgentMailClient
from agentmail.outcomes import (
    Absent,
    AttachmentLink,
    AttachmentMissing,
    FetchedThread,
    FetchFailed,
    Found,
    LookUpFailed,
    Misconfigured,
    NotNow,
    Refused,
    SendOutcome,
    Sent,
    ThreadMissing,
    Unknown,
)
from tests.agentmail.conftest import INBOX
from tests.agentmail.provider import Answer, Provider, drip, reset, say, say_raw, stay_silent

KEY = "offload.main.1b4e28ba"
PAYLOAD = '{"to":["Jörg <jorg@northwind.example>"],"text":"Grüße","labels":["offload-1b4e28ba"]}'
IDS = {"message_id": "<0100@agentmail.to>", "thread_id": "thr_1"}
HOSTILE_ID = "<a/b?c#d%41+é ..@x.example>"


@pytest.fixture
def client(provider: Provider) -> AgentMailClient:
    return AgentMailClient(provider.url + "/", "am_key", connect_timeout=1, read_timeout=0.3, deadline=1)


def send(client: AgentMailClient, reply_to: str = "") -> SendOutcome:
    return client.send(PAYLOAD, INBOX, KEY, reply_to)


def error(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"name": code.title(), "code": code, "message": message} | more


def test_a_new_mail_is_posted_as_it_was_frozen(client: AgentMailClient, provider: Provider) -> None:
    provider.play(say(200, IDS))

    assert send(client) == Sent("<0100@agentmail.to>", "thr_1")
    (request,) = provider.received
    assert (request.method, request.path) == ("POST", "/v0/inboxes/agent%40offload.example/messages/send")
    assert request.body == PAYLOAD.encode()
    assert request.headers["authorization"] == "Bearer am_key"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == KEY


def test_a_reply_names_its_message_in_one_path_segment(client: AgentMailClient, provider: Provider) -> None:
    provider.play(say(200, IDS))

    assert send(client, HOSTILE_ID) == Sent("<0100@agentmail.to>", "thr_1")
    assert provider.received[0].path == (
        "/v0/inboxes/agent%40offload.example/messages/%3Ca%2Fb%3Fc%23d%2541%2B%C3%A9%20..%40x.example%3E/reply"
    )


def test_a_lost_answer_is_repeated_with_the_same_key_and_the_same_bytes(
    client: AgentMailClient, provider: Provider
) -> None:
    provider.play(reset(), say(200, IDS))

    assert isinstance(send(client, HOSTILE_ID), Unknown)
    assert isinstance(send(client, HOSTILE_ID), Sent)
    first, second = provider.received
    assert first == second


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (say(400, error("validation_error", "Bad.", errors=[{"path": ["to", 0], "message": "no address"}])), Refused),
        (say(400, b"<html>"), Refused),
        (say(422, error("unprocessable", "No recipients.")), Refused),
        (say(413, b""), Refused),
        # Without a message to answer only our own inbox can be missing.
        (say(404, error("not_found", "No such inbox.")), Misconfigured),
        (say(404, {"name": "NotFoundError", "message": "No such inbox."}), Misconfigured),
        (say(404, b"<html>nothing here</html>"), Misconfigured),
        (say(404, {"message": "Not Found"}), Misconfigured),
        (say(403, error("message_rejected", "The recipient bounced.", fix="Ask support.")), Refused),
        (say(403, error("message_rejected", "Your account is Suspended.")), Misconfigured),
        (say(403, error("message_rejected", "Rejected.", fix="The account was suspended.")), Misconfigured),
        (say(403, error("domain_not_verified", "Verify.")), Misconfigured),
        (say(403, error("limit_exceeded", "Too many inboxes.")), Misconfigured),
        (say(403, {"message": "Forbidden"}), Misconfigured),
        (say(401, error("unknown_api_key", "Unknown.")), Misconfigured),
        (say(402, b""), Misconfigured),
        (say(405, b""), Misconfigured),
        (say(429, error("rate_limit_exceeded", "Slow down.")), NotNow),
        (say(408, b""), Unknown),
        (say(409, error("conflict", "In flight.")), Unknown),
        (say(409, error("race_condition", "Again.")), Unknown),
        (say(500, error("internal_error", "Oops.")), Unknown),
        (say(503, b"upstream"), Unknown),
        (say(301, IDS, Location="/elsewhere"), Unknown),
        (say(200, b""), Unknown),
        (say(200, b"accepted"), Unknown),
        (say(200, [IDS]), Unknown),
        (say(200, {"message_id": "<a@b>"}), Unknown),
        (say(200, {"message_id": "<a@b>", "thread_id": ""}), Unknown),
        (say(200, {"message_id": 7, "thread_id": "t"}), Unknown),
        (say(200, {"message_id": "..", "thread_id": "t"}), Unknown),
        (say(200, {"message_id": "a" * 1001, "thread_id": "t"}), Unknown),
        (say(200, b"[" * 100_000), Unknown),
        (say(202, IDS), Sent),
    ],
)
def test_every_answer_to_a_send_has_its_meaning(
    client: AgentMailClient, provider: Provider, answer: Answer, expected: type[SendOutcome]
) -> None:
    provider.play(answer)

    assert isinstance(send(client), expected)
    assert len(provider.received) == 1


@pytest.mark.parametrize(
    "body", [error("not_found", "No such message."), {"name": "NotFoundError", "message": "Gone."}]
)
def test_a_reply_to_a_message_that_is_gone_is_refused(
    client: AgentMailClient, provider: Provider, body: dict[str, Any]
) -> None:
    provider.play(say(404, body))

    outcome = client.send(
        "{}", inbox_id=INBOX, idempotency_key="offload.main.1", reply_to_message_id="<gone@x.example>"
    )

    assert isinstance(outcome, Refused)


def test_a_refusal_carries_the_code_and_what_a_person_needs(client: AgentMailClient, provider: Provider) -> None:
    provider.play(
        say(
            400,
            error("validation_error", "Invalid.", fix="Mend it.", errors=[{"path": ["to"], "message": "no address"}]),
        )
    )

    assert send(client) == Refused("validation_error", "400 validation_error Invalid. Mend it. ['to']: no address")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("1e9", None), ("soon", None), ("", None)],
)
def test_too_many_requests_are_told_with_a_wait_that_makes_sense(
    client: AgentMailClient, provider: Provider, header: str, seconds: float | None
) -> None:
    provider.play(say(429, {"name": "Limit", "message": "Slow down."}, Retry_After=header))

    assert send(client) == NotNow("429 Limit Slow down.", seconds)


def test_faults_after_the_request_leave_it_unknown_whether_it_was_sent(
    client: AgentMailClient, provider: Provider
) -> None:
    cut = say_raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"message_id":')
    trickle = drip(provider, b"HTTP/1.1 200 OK\r\n\r\n", b" ")
    provider.play(reset(), say_raw(b""), cut, stay_silent(provider), trickle, say(200, b" " * 5_000_001))

    assert [type(send(client)) for _ in range(6)] == [Unknown] * 6


def test_a_provider_that_cannot_be_reached_was_surely_not_sent_to() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    outcome = send(AgentMailClient(f"http://127.0.0.1:{port}", "am_key", connect_timeout=1))

    assert isinstance(outcome, NotNow)
    assert outcome.retry_after_s is None


@pytest.mark.parametrize(("url", "key"), [("nonsense", "am_key"), ("http://127.0.0.1:9", "am_\nkey")])
def test_a_base_url_or_key_that_cannot_be_used_is_the_operators_to_mend(url: str, key: str) -> None:
    outcome = send(AgentMailClient(url, key))

    assert isinstance(outcome, Misconfigured)
    assert "AGENTMAIL_BASE_URL" in outcome.reason


def test_one_client_serves_many_threads(client: AgentMailClient, provider: Provider) -> None:
    provider.play(*[say(200, IDS) for _ in range(40)])

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: send(client), range(40)))

    assert outcomes == [Sent("<0100@agentmail.to>", "thr_1")] * 40


def test_a_mail_is_found_by_its_label(client: AgentMailClient, provider: Provider) -> None:
    provider.play(say(200, {"count": 1, "messages": [{**IDS, "labels": ["sent", "offload-1"]}]}))

    assert client.find_by_label(INBOX, "offload-1") == Found("<0100@agentmail.to>", "thr_1")
    url = urlsplit(provider.received[0].path)
    assert url.path == "/v0/inboxes/agent%40offload.example/messages"
    query = parse_qs(url.query)
    assert query["labels"] == ['["offload-1"]']
    assert query["include_unauthenticated"] == query["include_spam"] == query["include_trash"] == ["true"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([say(200, {"count": 0, "messages": []})], Absent),
        ([say(200, {"messages": [], "next_page_token": "p2"}), say(200, {"messages": []})], Absent),
        ([say(200, {"messages": [{**IDS, "labels": ["sent"]}]})], LookUpFailed),
        ([say(200, {"messages": [{"labels": ["offload-1"]}]})], LookUpFailed),
        ([say(200, {"count": 0})], LookUpFailed),
        ([say(200, b"")], LookUpFailed),
        ([say(404, error("not_found", "No inbox."))], LookUpFailed),
        ([say(401, {})], LookUpFailed),
        ([say(500, {})], LookUpFailed),
        ([say(302, {"messages": []})], LookUpFailed),
        ([reset()], LookUpFailed),
    ],
)
def test_a_mail_counts_as_absent_only_when_the_provider_says_so(
    client: AgentMailClient, provider: Provider, answers: list[Answer], expected: type
) -> None:
    provider.play(*answers)

    assert isinstance(client.find_by_label(INBOX, "offload-1"), expected)


def test_a_label_on_the_second_page_is_found(client: AgentMailClient, provider: Provider) -> None:
    provider.play(
        say(200, {"messages": [], "next_page_token": "p&2"}),
        say(200, {"messages": [{**IDS, "labels": ["offload-1"]}]}),
    )

    assert isinstance(client.find_by_label(INBOX, "offload-1"), Found)
    assert parse_qs(urlsplit(provider.received[1].path).query)["page_token"] == ["p&2"]


def message(number: int, sender: str = "maya@northwind.example", **more: Any) -> dict[str, Any]:
    return {
        "inbox_id": INBOX,
        "thread_id": "thr_1",
        "message_id": f"<{number}@x.example>",
        "from": sender,
        "timestamp": f"2026-11-24T10:0{number}:00Z",
        "text": f"text {number}",
    } | more


def test_a_thread_is_read_page_by_page_and_given_oldest_first(client: AgentMailClient, provider: Provider) -> None:
    provider.play(
        say(200, {"messages": [message(4), message(5)], "next_page_token": "older"}),
        say(200, {"messages": [message(2), message(3), message(4)], "next_page_token": "oldest"}),
        say(200, {"messages": [message(1, f"Agent <{INBOX}>"), "odd", {}]}),
    )

    thread = client.fetch_thread(INBOX, "thr/1")

    assert isinstance(thread, FetchedThread)
    assert [(m.mail.message_id, m.is_ours) for m in thread.messages] == [
        ("<1@x.example>", True),
        ("<2@x.example>", False),
        ("<3@x.example>", False),
        ("<4@x.example>", False),
        ("<5@x.example>", False),
    ]
    assert [urlsplit(r.path).path for r in provider.received] == [
        "/v0/inboxes/agent%40offload.example/threads/thr%2F1"
    ] * 3
    assert [parse_qs(urlsplit(r.path).query).get("page_token") for r in provider.received] == [
        None,
        ["older"],
        ["oldest"],
    ]


def test_a_message_sent_from_our_inbox_under_another_name_is_ours(client: AgentMailClient, provider: Provider) -> None:
    provider.play(say(200, {"messages": [message(1, "team@offload.example", labels=["sent"])]}))

    thread = client.fetch_thread(INBOX, "thr_1")

    assert isinstance(thread, FetchedThread)
    assert thread.messages[0].is_ours is True


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([say(404, error("not_found", "No thread."))], ThreadMissing),
        ([say(200, {"messages": [message(2)], "next_page_token": "p2"}), say(500, {})], FetchFailed),
        ([say(200, {"messages": [message(2)], "next_page_token": "p2"}), reset()], FetchFailed),
        ([say(200, {"messages": [], "next_page_token": "p2"})] * 3, FetchFailed),
        ([say(200, {})], FetchFailed),
        ([say(200, {"thread_id": "thr_1"})], FetchFailed),
        ([say(200, b"[]")], FetchFailed),
        ([say(401, {})], FetchFailed),
    ],
)
def test_half_a_thread_is_no_thread(
    client: AgentMailClient, provider: Provider, answers: list[Answer], expected: type
) -> None:
    provider.play(*answers)

    assert isinstance(client.fetch_thread(INBOX, "thr_1"), expected)


def test_a_page_that_leads_back_to_itself_is_given_up_at_once(client: AgentMailClient, provider: Provider) -> None:
    provider.play(*[say(200, {"messages": [message(1)], "next_page_token": "p2"})] * 5)

    assert client.fetch_thread(INBOX, "thr_1") == FetchFailed("the answer leads back to the same page")
    assert len(provider.received) == 2


def test_pages_without_end_are_given_up(client: AgentMailClient, provider: Provider) -> None:
    provider.play(*[say(200, {"messages": [], "next_page_token": f"p{n}"}) for n in range(60)])

    assert isinstance(client.fetch_thread(INBOX, "thr_1"), FetchFailed)
    assert len(provider.received) <= 40


def test_an_attachment_link_is_fetched_fresh(client: AgentMailClient, provider: Provider) -> None:
    provider.play(
        say(
            200,
            {
                "attachment_id": "att/1",
                "filename": "w9.pdf",
                "content_type": "application/pdf",
                "size": 12_345,
                "download_url": "https://files.example/w9?sig=1",
                "expires_at": "2026-11-24T12:00:00+01:00",
            },
        )
    )

    assert client.fetch_attachment(INBOX, HOSTILE_ID, "att/1") == AttachmentLink(
        attachment_id="att/1",
        filename="w9.pdf",
        content_type="application/pdf",
        size=12_345,
        download_url="https://files.example/w9?sig=1",
        expires_at=datetime(2026, 11, 24, 11, 0, tzinfo=UTC),
    )
    assert provider.received[0].path.endswith("%3E/attachments/att%2F1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (say(404, error("not_found", "Gone.")), AttachmentMissing),
        (say(200, {"download_url": "https://files.example/1"}), FetchFailed),
        (say(200, {"expires_at": "2026-11-24T12:00:00Z"}), FetchFailed),
        (say(200, {"download_url": "javascript:alert(1)", "expires_at": "2026-11-24T12:00:00Z"}), FetchFailed),
        (say(200, {"download_url": "https://files.example/1", "expires_at": "tomorrow"}), FetchFailed),
        (say(302, b"", Location="https://files.example/1"), FetchFailed),
        (say(503, b""), FetchFailed),
        (reset(), FetchFailed),
    ],
)
def test_an_attachment_that_is_not_there_is_told_apart_from_a_failed_look_up(
    client: AgentMailClient, provider: Provider, answer: Answer, expected: type
) -> None:
    provider.play(answer)

    assert isinstance(client.fetch_attachment(INBOX, "<m@x>", "att_1"), expected)


def test_the_settings_make_the_client(provider: Provider, settings: Any) -> None:
    settings.AGENTMAIL_BASE_URL, settings.AGENTMAIL_API_KEY = provider.url, "am_from_settings"
    provider.play(say(200, IDS))

    assert isinstance(send(AgentMailClient.from_settings(read_timeout=1)), Sent)
    assert provider.received[0].headers["authorization"] == "Bearer am_from_settings"


def test_no_reason_carries_the_key(client: AgentMailClient, provider: Provider) -> None:
    provider.play(reset(), say(401, error("unknown_api_key", "Unknown.")), say(500, b""))

    reasons = [json.dumps(vars(send(client))) for _ in range(3)]

    assert [reason for reason in reasons if "am_key" in reason] == []
