"""Faults of the send and read channels, as far as an answer shows them; test_server.py has those on the socket."""

from typing import Any

import pytest

from agentmail.sandbox.models import Fault, Message
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider


def test_faults_are_played_in_order_and_once(provider: Provider, control: Control) -> None:
    control.post("faults", {"send": ["503"]})
    control.post("faults", {"send": ["429"]})
    assert [provider.send().status_code for _ in range(3)] == [503, 429, 200]
    assert control.get("faults") == {"send": [], "read": [], "webhook": []}


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("400", 400, "validation_error"),
        (401, 401, "unknown_api_key"),
        ("404", 404, "not_found"),
        ("408", 408, "request_timeout"),
        ("422", 422, "unprocessable"),
        ("429", 429, "rate_limit_exceeded"),
        ("500", 500, "internal_error"),
        ("503", 503, "service_unavailable"),
        ("403_rejected", 403, "message_rejected"),
        ("403_suspended", 403, "message_rejected"),
        ("403_forbidden", 403, "forbidden"),
        ("409_in_flight", 409, "conflict"),
    ],
)
def test_a_refusing_fault_accepts_nothing_and_leaves_the_key_free(
    provider: Provider, control: Control, fault: Any, status: int, code: str
) -> None:
    control.post("faults", {"send": [fault]})
    answer = provider.send(Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Message.objects.count() == 0
    assert provider.send(Idempotency_Key="k").status_code == 200


def test_the_gateways_403_has_no_code(provider: Provider, control: Control) -> None:
    control.post("faults", {"send": ["403_gateway"]})
    assert provider.send().json() == {"message": "Forbidden"}


def test_a_suspended_account_and_a_blocked_recipient_say_so(provider: Provider, control: Control) -> None:
    control.post("faults", {"send": ["403_suspended", "403_rejected"]})
    assert "account is suspended" in provider.send().json()["message"]
    assert "block list" in provider.send().json()["message"]


def test_429_says_when_to_come_back(provider: Provider, control: Control) -> None:
    control.post("faults", {"send": ["429", {"fault": "429", "retry_after": 30}]})
    assert [provider.send()["Retry-After"] for _ in range(2)] == ["1", "30"]


@pytest.mark.parametrize(("fault", "status"), [("accept_then_500", 500), ("no_ids", 200)])
def test_an_accepting_fault_sends_the_mail_and_hides_its_ids(
    provider: Provider, control: Control, fault: str, status: int
) -> None:
    control.post("faults", {"send": [fault]})
    lost = provider.send(Idempotency_Key="k")
    assert lost.status_code == status
    assert "message_id" not in lost.json()
    found = provider.send(Idempotency_Key="k").json()
    assert found["message_id"] == Message.objects.get().message_id


def test_an_accepting_fault_on_a_repeat_sends_nothing_more(provider: Provider, control: Control) -> None:
    provider.send(Idempotency_Key="k")
    control.post("faults", {"send": ["accept_then_500"]})
    assert provider.send(Idempotency_Key="k").status_code == 500
    assert Message.objects.count() == 1


def test_a_request_that_is_refused_anyway_uses_up_no_fault(provider: Provider, control: Control) -> None:
    control.post("faults", {"send": ["503"]})
    assert provider.send({"to": "nobody"}).status_code == 400
    assert provider.send(Idempotency_Key="a b").status_code == 400
    provider.key = "am_other"
    assert provider.send().status_code == 401
    assert control.get("faults")["send"] == ["503"]


def test_read_faults_meet_thread_reads_label_lists_and_attachments_only(provider: Provider, control: Control) -> None:
    file = {"filename": "a", "content": "aGk="}
    sent = provider.send({"to": "a@b.example", "attachments": [file]}).json()
    listed = provider.call("GET", f"/inboxes/{INBOX}/messages").json()
    attachment_id = listed["messages"][0]["attachments"][0]["attachment_id"]
    for path in (
        f"/threads/{sent['thread_id']}",
        f"/inboxes/{INBOX}/messages?labels=sent",
        f"/threads/{sent['thread_id']}/attachments/{attachment_id}",
    ):
        control.post("faults", {"read": ["500"]})
        assert provider.call("GET", f"/inboxes/{INBOX}/messages").status_code == 200
        assert provider.send().status_code == 200
        assert [provider.call("GET", path).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"send": ["bogus"]}, ["send", 0]),
        ({"send": ["503", {"fault": "bogus"}]}, ["send", 1]),
        ({"send": [{"seconds": 1}]}, ["send", 0]),
        ({"send": [{"fault": "slow", "second": 1}]}, ["send", 0]),
        ({"send": [{"fault": "slow", "seconds": -1}]}, ["send", 0]),
        ({"send": [{"fault": "slow", "seconds": True}]}, ["send", 0]),
        ({"send": [{"fault": "429", "retry_after": 1.5}]}, ["send", 0]),
        ({"send": [{"fault": "503", "event_type": "message.received"}]}, ["send", 0]),
        ({"webhook": [{"fault": "drop", "event_type": 1}]}, ["webhook", 0]),
        ({"send": "503"}, ["send"]),
        ({"read": ["accept_then_drop"]}, ["read", 0]),
        ({"webhook": ["503"]}, ["webhook", 0]),
        ({"sends": ["503"]}, ["sends"]),
    ],
)
def test_an_unknown_fault_is_refused_by_path_and_nothing_is_queued(control: Control, body: Any, path: Any) -> None:
    answer = control.post("faults", {"webhook": ["drop"]} | body)
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["error"]["errors"]] == [path]
    assert Fault.objects.count() == 0


def test_the_queue_is_shown_as_it_was_given_and_cleared(control: Control) -> None:
    body = {"send": ["503", {"fault": "slow", "seconds": 2}], "read": [], "webhook": ["drop"]}
    assert control.post("faults", body).json() == body
    assert control.get("faults") == body
    assert control.delete("faults") == {"send": [], "read": [], "webhook": []}
