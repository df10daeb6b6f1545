"""The local webhook receiver: keeps whatever arrives, shows it, clears it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from webhooks.receiver.models import ReceivedWebhook
from webhooks.receiver.views import MAX_BODY_BYTES

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.webhooks.urls")]
RECEIVER = "/sandbox/receiver/"


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def send(client: Client, body: Any, path: str = RECEIVER, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, raw, content_type="application/json", headers=headers)  # type: ignore[return-value]


def event(number: int, event_type: str = "case.completed", case_id: str = "case-1") -> dict[str, Any]:
    return {"event_id": f"evt_{number}", "event_type": event_type, "data": {"caseId": case_id}}


def list_received(client: Client, query: str = "") -> Any:
    return client.get(RECEIVER + query).json()


def test_a_webhook_is_kept_with_its_body_its_time_and_the_headers_that_matter(client: Client) -> None:
    answer = send(client, event(1), **{"User-Agent": "Offload-Webhooks/1", "Webhook-Id": "evt_1", "Cookie": "secret=1"})

    assert (answer.status_code, json.loads(answer.content)) == (200, {"received": True})
    listed = list_received(client)
    assert listed["total"] == 1
    [received] = listed["received"]
    assert received.pop("received_at").endswith("Z")
    assert received == {
        "event_id": "evt_1",
        "event_type": "case.completed",
        "case_id": "case-1",
        "answered": 200,
        "headers": {
            "Content-Type": "application/json",
            "Content-Length": str(len(json.dumps(event(1)))),
            "User-Agent": "Offload-Webhooks/1",
            "Webhook-Id": "evt_1",
        },
        "body": event(1),
    }


@pytest.mark.urls("offload.sandbox_urls")
def test_the_address_works_without_the_slash_at_its_end_too(client: Client) -> None:
    answer = send(client, event(1), RECEIVER.rstrip("/"))

    assert answer.status_code == 200
    listed = client.get(f"{RECEIVER.rstrip('/')}?case_id=case-1").json()
    assert [received["event_id"] for received in listed["received"]] == ["evt_1"]


def test_the_newest_comes_first_and_the_filters_narrow_the_list(client: Client) -> None:
    send(client, event(1))
    send(client, event(2, event_type="case.failed"))
    send(client, event(3, case_id="case-2"))

    def ids(query: str = "") -> list[str]:
        return [received["event_id"] for received in list_received(client, query)["received"]]

    assert ids() == ["evt_3", "evt_2", "evt_1"]
    assert ids("?event_type=case.failed") == ["evt_2"]
    assert ids("?case_id=case-1") == ["evt_2", "evt_1"]
    assert ids("?case_id=case-1&event_type=case.completed") == ["evt_1"]
    assert ids("?case_id=nobody") == []
    assert ids("?case_id=%00") == []


def test_delete_clears_all_or_only_what_the_filters_name(client: Client) -> None:
    for number, case_id in ((1, "case-1"), (2, "case-2"), (3, "case-2")):
        send(client, event(number, case_id=case_id))

    assert client.delete(f"{RECEIVER}?case_id=case-1").json() == {"deleted": 1}
    assert list_received(client)["total"] == 2
    assert client.delete(RECEIVER).json() == {"deleted": 2}
    assert list_received(client) == {"received": [], "total": 0}


@pytest.mark.parametrize("code", [200, 204, 302, 400, 410, 429, 500, 503, 599])
def test_the_status_that_the_path_names_is_answered_and_the_webhook_kept(client: Client, code: int) -> None:
    answer = send(client, event(1), f"{RECEIVER}status/{code}/")

    assert answer.status_code == code
    [received] = list_received(client)["received"]
    assert (received["event_id"], received["answered"]) == ("evt_1", code)


@pytest.mark.parametrize("code", [0, 100, 199, 600, 99999])
def test_a_status_that_cannot_be_answered_is_refused_and_nothing_is_kept(client: Client, code: int) -> None:
    answer = send(client, event(1), f"{RECEIVER}status/{code}/")

    assert answer.status_code == 400
    assert list_received(client)["total"] == 0


DEEP = b"[" * 50_000 + b"]" * 50_000


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        (b"[1, 2]", [1, 2]),
        (b'{"event_id": 5, "data": []}', {"event_id": 5, "data": []}),
        (b"\xff\x00", "\ufffd\ufffd"),
        (b'{"a": "\\u0000\\ud800"}', {"a": "\x00\ud800"}),
        (b'{"event_id": "\\u0000\\ud800"}', {"event_id": "\x00\ud800"}),
        (b"NaN", "NaN"),
        (b"1e999", "1e999"),
        (DEEP, DEEP.decode()),
        (b"[" * 500 + b"]" * 500, "[" * 500 + "]" * 500),
        (b"9" * 5000, "9" * 5000),
    ],
)
def test_whatever_arrives_is_kept_and_can_be_shown_again_both_ways(client: Client, raw: bytes, shown: Any) -> None:
    assert send(client, raw).status_code == 200

    [received] = list_received(client)["received"]
    assert received["body"] == shown
    assert client.get(RECEIVER, headers={"Accept": "text/html"}).status_code == 200


def test_a_body_of_a_megabyte_is_kept_and_one_byte_more_is_refused(client: Client) -> None:
    assert send(client, b"x" * MAX_BODY_BYTES).status_code == 200
    assert send(client, b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert [len(stored.body) for stored in ReceivedWebhook.objects.all()] == [MAX_BODY_BYTES]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/html;q=0.1,application/json", "application/json"),
    ],
)
def test_a_browser_gets_a_page_and_everybody_else_json(client: Client, accept: str, content_type: str) -> None:
    answer = client.get(RECEIVER, headers={"Accept": accept} if accept else {})

    assert answer.headers["Content-Type"] == content_type


def test_the_page_escapes_what_arrived_and_has_no_script_and_no_style_of_its_own(client: Client) -> None:
    send(client, event(1, event_type="<script>alert(1)</script>", case_id='"><img src=x onerror=alert(1)>'))

    page = client.get(RECEIVER, headers={"Accept": "text/html"}).content.decode()

    assert "Local webhook receiver" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for forbidden in ("<script", "<img", "<style", "style="):
        assert forbidden not in page
    assert 'href="/static/receiver/receiver.css"' in page
    assert 'name="viewport"' in page


def test_the_page_says_when_it_is_empty_or_filtered(client: Client) -> None:
    empty = client.get(RECEIVER, headers={"Accept": "text/html"}).content.decode()
    send(client, event(1))
    filtered = client.get(f"{RECEIVER}?case_id=case-1", headers={"Accept": "text/html"}).content.decode()

    assert "Nothing has arrived yet." in empty
    assert "<code>case_id=case-1</code>" in filtered
    assert "evt_1" in filtered


def test_other_methods_are_refused(client: Client) -> None:
    assert client.put(RECEIVER).status_code == 405
    assert client.get(f"{RECEIVER}status/500/").status_code == 405
