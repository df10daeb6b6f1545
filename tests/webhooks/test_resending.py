"""Deliveries that somebody sends again by hand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from tests.webhooks.deliveries import LEASE_S, SUBSCRIBER, claim, record, rows
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.outcomes import Answered, PostOutcome, Unknown
from webhooks.policies import change_policy
from webhooks.services import (
    NotResendable,
    claim_delivery,
    close_crashed,
    finish_attempt,
    list_undelivered,
    resend_delivery,
    resend_undelivered,
    sweep_due,
)

DELIVERED = Answered(200, b"", 37)
FAILED = Answered(500, b"", 37)


def end(delivery: Delivery, at: datetime, outcome: PostOutcome = FAILED) -> Delivery:
    assert finish_attempt(claim(delivery, at), outcome, at, lambda: 0.5)
    delivery.refresh_from_db()
    return delivery


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [DELIVERED, FAILED, Unknown("no answer")])
def test_an_ended_delivery_goes_out_again_with_the_same_event_id_and_body(now: datetime, outcome: PostOutcome) -> None:
    delivery = end(record(now), now, outcome)
    later = now + timedelta(days=40)

    resend_delivery(delivery.id, by="ana", now=later)

    claimed = claim(delivery, later)
    assert (claimed.number, claimed.event_id, claimed.body.decode()) == (2, "evt_1", delivery.body)
    finish_attempt(claimed, DELIVERED, later)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.finished_at) == ("delivered", later)
    assert [row["asked_by"] for row in rows(DeliveryAttempt)] == ["", "ana"]


@pytest.mark.django_db
def test_without_retries_a_resend_is_one_attempt_also_across_a_crash(now: datetime) -> None:
    delivery = end(record(now), now)
    resend_delivery(delivery.id, by="ana", now=now)
    claim(delivery, now)

    close_crashed(now + timedelta(hours=1))

    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    assert sweep_due(now + timedelta(days=1)) == []


@pytest.mark.django_db
def test_with_retries_a_resend_begins_the_schedule_anew_and_only_its_first_attempt_was_asked_for(now: datetime) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    delivery = record(now, subscriber=SUBSCRIBER)
    while delivery.next_attempt_at is not None:
        end(delivery, delivery.next_attempt_at)
    later = now + timedelta(days=2)

    resend_delivery(delivery.id, by="bo", now=later)
    again = end(delivery, later)

    assert (again.state, again.tries, again.next_attempt_at) == ("pending", 1, later + timedelta(seconds=5))
    end(delivery, later + timedelta(seconds=5))
    assert [row["asked_by"] for row in rows(DeliveryAttempt)] == [""] * 8 + ["bo", ""]


@pytest.mark.django_db
def test_a_retry_that_waits_is_made_at_once_and_the_schedule_goes_on(now: datetime) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    delivery = end(end(record(now, subscriber=SUBSCRIBER), now), now + timedelta(seconds=5))

    resend_delivery(delivery.id, by="ana", now=now + timedelta(seconds=6))
    end(delivery, now + timedelta(seconds=6))

    assert (delivery.tries, delivery.next_attempt_at) == (3, now + timedelta(seconds=6, minutes=30))


@pytest.mark.django_db
def test_what_is_on_its_way_is_not_sent_again_and_says_why(now: datetime) -> None:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    due = record(now, "evt_due")
    sending = record(now, "evt_sending")
    claim(sending, now)
    end(record(now, "evt_gone", subscriber=SUBSCRIBER), now, Answered(410, b"", 1))
    held = record(now, "evt_held", subscriber=SUBSCRIBER)
    claim_delivery(held.id, now, LEASE_S)
    before = rows(Delivery)

    for delivery_id, reason in (
        (due.id, "It waits for a worker already, and goes out within seconds."),
        (sending.id, "It is being sent at this moment; look again in a minute."),
        (held.id, "It waits for a paused endpoint; resume the endpoint, and it goes out by itself."),
        (uuid4(), "There is no such delivery."),
    ):
        with pytest.raises(NotResendable) as refusal:
            resend_delivery(delivery_id, by="ana", now=now)
        assert str(refusal.value) == reason

    assert rows(Delivery) == before


@pytest.mark.django_db(transaction=True)
def test_of_ten_resends_at_once_one_is_taken(now: datetime) -> None:
    delivery = end(record(now), now)
    barrier = threading.Barrier(10)

    def resend(_: int) -> bool:
        try:
            barrier.wait(30)
            resend_delivery(delivery.id, by="ana", now=now)
        except NotResendable:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(resend, range(10)))

    assert taken.count(True) == 1
    claim(delivery, now)
    assert DeliveryAttempt.objects.count() == 2


@pytest.mark.django_db
def test_all_that_failed_of_a_subscriber_goes_out_again_and_nothing_else(now: datetime) -> None:
    later = now + timedelta(hours=1)
    old = end(record(now, "evt_old", subscriber=SUBSCRIBER), now)
    failed = end(record(later, "evt_failed", subscriber=SUBSCRIBER), later)
    silent = end(record(later, "evt_silent", subscriber=SUBSCRIBER), later, Unknown("no answer"))
    end(record(later, "evt_delivered", subscriber=SUBSCRIBER), later, DELIVERED)
    end(record(later, "evt_others", subscriber=uuid4()), later)
    end(record(later, "evt_nobodys"), later)

    assert {row.event_id for row in list_undelivered(SUBSCRIBER, later)} == {"evt_failed", "evt_silent"}
    assert resend_undelivered(SUBSCRIBER, since=later, by="ana", now=later) == 2

    assert set(sweep_due(later)) == {failed.id, silent.id}
    assert resend_undelivered(SUBSCRIBER, since=later, by="ana", now=later) == 0
    assert resend_undelivered(SUBSCRIBER, by="ana", now=later) == 1
    assert sweep_due(later) == [old.id]
    assert claim(failed, later).number == 2


@pytest.mark.django_db
def test_more_than_a_batch_is_resent_and_what_fails_meanwhile_is_left(now: datetime) -> None:
    Delivery.objects.bulk_create(
        Delivery(
            owner=uuid4(),
            subscriber=SUBSCRIBER,
            url="https://example.com/",
            event_id=f"evt_{number}",
            event_type="case.failed",
            body="{}",
            state="failed",
            created_at=now,
            finished_at=now,
        )
        for number in range(1001)
    )
    end(record(now, "evt_later", subscriber=SUBSCRIBER), now + timedelta(seconds=1))

    assert resend_undelivered(SUBSCRIBER, by="ana", now=now) == 1001

    assert Delivery.objects.get(state="failed").event_id == "evt_later"
