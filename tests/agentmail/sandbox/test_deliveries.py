"""Webhook deliveries over a real socket: signatures, order, retries, faults."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from agentmail.sandbox.courier import carry_one
from agentmail.sandbox.deliveries import claim_delivery, record_attempt, release_leases, seconds_until_due
from agentmail.sandbox.models import Delivery, DeliveryState, Webhook
from agentmail.sandbox.transport import post_delivery
from tests.agentmail.sandbox.conftest import INBOX, SECRET, Control, Provider, Receiver


def _carry_all() -> None:
    while carry_one():
        pass


def _types(receiver: Receiver) -> list[str]:
    return [event["event_type"] for event in receiver.events]


@pytest.fixture
def received(provider: Provider, control: Control, receiver: Receiver) -> Any:
    """A sent mail whose own events have been delivered already."""
    sent = provider.send().json()
    _carry_all()
    receiver.requests.clear()
    return sent


def test_sending_reports_sent_and_delivered_in_order(provider: Provider, receiver: Receiver) -> None:
    sent = provider.send().json()
    _carry_all()
    assert _types(receiver) == ["message.sent", "message.delivered"]
    told = receiver.events[0]["send"]
    assert told.pop("timestamp").endswith("Z")
    assert told == {"inbox_id": INBOX, "recipients": ["maya@supplier.example"]} | sent
    assert receiver.events[1]["delivery"]["message_id"] == sent["message_id"]


def test_a_delivery_is_signed_like_the_providers(received: Any, control: Control, receiver: Receiver) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "Grüße"})
    _carry_all()
    headers, body = receiver.requests[0]
    renamed = {name.replace("svix-", "webhook-"): value for name, value in headers.items()}
    assert Verifier(SECRET).verify(body, renamed) == json.loads(body)
    assert "Grüße".encode() in body
    assert headers["content-type"] == "application/json"


def test_a_reply_arrives_with_its_message_and_its_thread(received: Any, control: Control, receiver: Receiver) -> None:
    ids = control.post("inbound", {"thread_id": received["thread_id"], "text": "Yes.\n> old"}).json()
    _carry_all()
    event = receiver.events[0]
    assert (event["type"], event["event_type"]) == ("event", "message.received")
    assert event["message"]["message_id"] == ids["message_id"]
    assert event["message"]["labels"] == ["received", "unread"]
    assert (event["message"]["text"], event["message"]["extracted_text"]) == ("Yes.\n> old", "Yes.")
    assert event["message"]["in_reply_to"] == received["message_id"]
    assert event["message"]["authentication_results"] == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
    assert (event["thread"]["thread_id"], event["thread"]["message_count"]) == (received["thread_id"], 2)


@pytest.mark.parametrize("variant", ["spam", "blocked", "unauthenticated"])
def test_a_variant_is_an_event_type_of_its_own(
    received: Any, control: Control, receiver: Receiver, variant: str
) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a", "variant": variant})
    _carry_all()
    assert _types(receiver) == [f"message.received.{variant}"]
    assert receiver.events[0]["message"]["labels"] == [variant]


def test_above_a_megabyte_the_bodies_are_left_out(received: Any, control: Control, receiver: Receiver) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "x" * 600_000, "html": "y" * 300_000})
    _carry_all()
    message = receiver.events[0]["message"]
    assert message.keys().isdisjoint({"text", "html"})
    assert len(message["extracted_text"]) == 600_000
    assert len(message["extracted_html"]) == 300_000


def test_a_failed_delivery_is_repeated_under_the_same_id_with_a_fresh_signature(
    received: Any, control: Control, receiver: Receiver
) -> None:
    receiver.statuses = [503, 302]
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
        assert carry_one()
        assert not carry_one()
        clock.shift(timedelta(seconds=0.5))
        assert carry_one()
        clock.shift(timedelta(seconds=0.99))
        assert not carry_one()
        clock.shift(timedelta(seconds=0.01))
        assert carry_one()
        assert not carry_one()
    assert len({headers["svix-id"] for headers, _ in receiver.requests}) == 1
    assert len({body for _, body in receiver.requests}) == 1
    assert len({headers["svix-timestamp"] for headers, _ in receiver.requests}) > 1
    assert len({headers["svix-signature"] for headers, _ in receiver.requests}) > 1
    delivery = Delivery.objects.latest("id")
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 3, 200)


def test_nobody_at_the_other_end_is_a_failure_like_any_other(received: Any, control: Control) -> None:
    Webhook.objects.update(url="http://127.0.0.1:9/hook")
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    assert carry_one()
    delivery = Delivery.objects.latest("id")
    assert (delivery.state, delivery.last_status) == (DeliveryState.PENDING, None)
    assert "Connection refused" in delivery.last_error


def test_the_waits_grow_to_a_minute_and_end_after_a_day(received: Any, control: Control, receiver: Receiver) -> None:
    receiver.statuses = [500] * 9
    with time_machine.travel(timezone.now(), tick=False) as clock:
        control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
        waits = []
        for _ in range(8):
            assert carry_one()
            wait = seconds_until_due(timezone.now())
            assert wait is not None
            waits.append(wait)
            clock.shift(timedelta(seconds=wait))
        assert waits == [0.5, 1, 2, 5, 10, 30, 60, 60]
        clock.shift(timedelta(days=1))
        assert carry_one()
        assert seconds_until_due(timezone.now()) is None
    assert Delivery.objects.latest("id").state == DeliveryState.EXHAUSTED


def test_two_couriers_never_hold_the_same_delivery(received: Any, control: Control) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    now = timezone.now()
    assert claim_delivery(now) is not None
    assert claim_delivery(now) is None


def test_a_lease_that_ended_is_taken_over_and_the_late_attempt_no_longer_counts(
    received: Any, control: Control
) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    now = timezone.now()
    first = claim_delivery(now)
    assert first is not None
    assert claim_delivery(now + timedelta(seconds=29)) is None
    second = claim_delivery(now + timedelta(seconds=30))
    assert second is not None
    assert (second.delivery_id, second.svix_id, second.attempt) == (first.delivery_id, first.svix_id, 2)
    record_attempt(first, 200, "", now)
    assert Delivery.objects.latest("id").state == DeliveryState.PENDING
    record_attempt(second, 200, "", now)
    assert Delivery.objects.latest("id").state == DeliveryState.DELIVERED


def test_a_restart_makes_interrupted_attempts_due_at_once(received: Any, control: Control) -> None:
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    now = timezone.now()
    assert claim_delivery(now) is not None
    release_leases()
    assert claim_delivery(now) is not None


def test_a_webhook_with_an_unusable_secret_fails_without_raising(received: Any, control: Control) -> None:
    Webhook.objects.update(secret="whsec_")
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    claimed = claim_delivery(timezone.now())
    assert claimed is not None
    outcome = post_delivery(claimed, timezone.now())
    assert outcome.status is None
    assert outcome.error


def test_static_headers_go_with_every_delivery(received: Any, control: Control, receiver: Receiver) -> None:
    Webhook.objects.update(headers={"x-token": "t"})
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    _carry_all()
    assert receiver.requests[0][0]["x-token"] == "t"


def test_duplicate_sends_the_same_delivery_twice(received: Any, control: Control, receiver: Receiver) -> None:
    control.post("faults", {"webhook": ["duplicate"]})
    control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
    _carry_all()
    assert len(receiver.requests) == 2
    assert receiver.requests[0][0]["svix-id"] == receiver.requests[1][0]["svix-id"]
    assert receiver.requests[0][1] == receiver.requests[1][1]


def test_drop_loses_the_delivery_and_only_that_one(received: Any, control: Control, receiver: Receiver) -> None:
    control.post("faults", {"webhook": ["drop"]})
    for text in ("lost", "kept"):
        control.post("inbound", {"thread_id": received["thread_id"], "text": text})
    _carry_all()
    assert [event["message"]["text"] for event in receiver.events] == ["kept"]
    states = list(Delivery.objects.order_by("id").values_list("state", flat=True))
    assert states[-2:] == ["dropped", "delivered"]


def test_a_fault_for_one_type_of_event_waits_for_it(received: Any, control: Control, receiver: Receiver) -> None:
    fault = {"fault": "drop", "event_type": "message.received"}
    control.post("faults", {"webhook": [fault, "duplicate"]})
    control.post("bounce", {"message_id": received["message_id"], "type": "Transient"})
    assert control.get("faults")["webhook"] == [fault]

    control.post("inbound", {"thread_id": received["thread_id"], "text": "Yes."})
    _carry_all()

    assert control.get("faults")["webhook"] == []
    assert _types(receiver) == ["message.bounced", "message.bounced"]


def test_delay_holds_the_delivery_back_for_its_seconds(received: Any, control: Control, receiver: Receiver) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        control.post("faults", {"webhook": [{"fault": "delay", "seconds": 3}]})
        control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
        clock.shift(timedelta(seconds=2.9))
        assert not carry_one()
        clock.shift(timedelta(seconds=0.1))
        assert carry_one()
    assert len(receiver.requests) == 1


def test_reorder_lets_the_next_delivery_overtake(received: Any, control: Control, receiver: Receiver) -> None:
    control.post("faults", {"webhook": ["reorder"]})
    for text in ("first", "second"):
        control.post("inbound", {"thread_id": received["thread_id"], "text": text})
    _carry_all()
    assert [event["message"]["text"] for event in receiver.events] == ["second", "first"]


def test_a_reordered_delivery_that_nothing_overtakes_goes_out_by_itself(
    received: Any, control: Control, receiver: Receiver
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        control.post("faults", {"webhook": ["reorder"]})
        control.post("inbound", {"thread_id": received["thread_id"], "text": "a"})
        assert not carry_one()
        clock.shift(timedelta(seconds=10))
        assert carry_one()
    assert len(receiver.requests) == 1


def test_disable_switches_the_webhook_off_and_loses_its_events_until_it_is_enabled(
    received: Any, provider: Provider, control: Control, receiver: Receiver
) -> None:
    path = f"/webhooks/{Webhook.objects.get().webhook_id}"
    control.post("faults", {"webhook": ["disable"]})
    assert provider.call("GET", path).json()["enabled"] is True
    for text in ("met the fault", "came later"):
        control.post("inbound", {"thread_id": received["thread_id"], "text": text})
    _carry_all()
    assert provider.call("GET", path).json()["enabled"] is False
    assert control.get("faults")["webhook"] == []
    assert receiver.requests == []

    provider.call("PATCH", path, {"enabled": True})
    control.post("inbound", {"thread_id": received["thread_id"], "text": "enabled again"})
    _carry_all()
    assert [event["message"]["text"] for event in receiver.events] == ["enabled again"]
    states = list(Delivery.objects.order_by("id").values_list("state", flat=True))
    assert states[2:] == ["dropped", "delivered"]


def test_a_mail_that_is_sent_meanwhile_uses_up_no_webhook_fault(
    provider: Provider, control: Control, receiver: Receiver
) -> None:
    control.post("faults", {"webhook": ["drop"]})
    provider.send()
    _carry_all()
    assert _types(receiver) == ["message.sent", "message.delivered"]
    assert control.get("faults")["webhook"] == ["drop"]
