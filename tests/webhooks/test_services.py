"""Recording, claiming and closing deliveries in the real database."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.webhooks.deliveries import EVENT, LEASE_S, OWNER, SUBSCRIBER, claim, record, rows
from webhooks.handlers import sweep
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.outcomes import Answered, NotSent, PostOutcome, Unknown
from webhooks.services import (
    CRASHED,
    Claimed,
    claim_delivery,
    close_crashed,
    finish_attempt,
    list_deliveries,
    sweep_due,
)

ANSWER = Answered(200, b"thanks", 37)


@pytest.mark.django_db
def test_a_recorded_delivery_is_pending_and_holds_the_exact_text_to_send(now: datetime) -> None:
    delivery = record(now, body=EVENT | {"data": {"name": "Zoë", "odd": "\ud800\x00"}})

    assert rows(Delivery) == [
        {
            "id": delivery.id,
            "owner": OWNER,
            "event_id": "evt_1",
            "event_type": "case.completed",
            "url": "https://example.com/hook?token=1",
            "body": '{"event_id":"evt_1","event_type":"case.completed","timestamp":1774131900000,'
            '"data":{"name":"Zo\\u00eb","odd":"\\ud800\\u0000"}}',
            "subscriber": None,
            "state": "pending",
            "created_at": now,
            "next_attempt_at": now,
            "nudged_at": now,
            "nudges": 1,
            "lease_until": None,
            "finished_at": None,
            "last_error": "",
            "tries": 0,
            "asked_by": "",
            "held_by_id": None,
        }
    ]
    assert rows(DeliveryAttempt) == []


@pytest.mark.django_db
def test_the_same_event_id_again_returns_the_first_delivery_unchanged(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    first = record(now)
    before = rows(Delivery)

    with caplog.at_level(logging.WARNING, "webhooks.services"):
        second = record(now + timedelta(hours=1))
        assert caplog.messages == []
        third = record(now + timedelta(hours=2), body={"event_id": "evt_1", "other": True})

    assert second.id == third.id == first.id
    assert third.body == json.dumps(EVENT, separators=(",", ":"))
    assert rows(Delivery) == before
    assert caplog.messages == ["webhook evt_1 was recorded before with another body or URL; the first stays"]


@pytest.mark.django_db
def test_a_body_that_is_not_json_is_refused_and_nothing_is_stored(now: datetime) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        record(now, body={"data": float("nan")})

    assert rows(Delivery) == []


@pytest.mark.django_db
def test_a_delivery_exists_only_if_the_change_it_reports_does(now: datetime) -> None:
    with transaction.atomic():
        record(now)
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)

    assert rows(Delivery) == []


@pytest.mark.django_db(transaction=True)
def test_twenty_recorders_of_one_event_id_store_one_delivery(now: datetime) -> None:
    barrier = threading.Barrier(20)

    def run(_: int) -> UUID:
        try:
            barrier.wait(30)
            return record(now).id
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(run, range(20)))

    assert len(ids) == 1
    assert Delivery.objects.count() == 1


@pytest.mark.django_db
def test_a_claim_commits_an_open_attempt_and_the_lease(now: datetime) -> None:
    delivery = record(now)

    claimed = claim_delivery(delivery.id, now + timedelta(seconds=1), LEASE_S)

    assert claimed == Claimed(
        delivery_id=delivery.id,
        number=1,
        event_id="evt_1",
        event_type="case.completed",
        url="https://example.com/hook?token=1",
        body=json.dumps(EVENT, separators=(",", ":")).encode(),
        started_at=now + timedelta(seconds=1),
    )
    delivery.refresh_from_db()
    assert (delivery.state, delivery.next_attempt_at, delivery.lease_until) == (
        "sending",
        None,
        now + timedelta(seconds=61),
    )
    attempt = delivery.attempts.get()
    assert (attempt.number, attempt.outcome, attempt.started_at, attempt.finished_at) == (
        1,
        "",
        now + timedelta(seconds=1),
        None,
    )


@pytest.mark.django_db
def test_there_is_nothing_to_claim_before_it_is_due_while_it_runs_once_it_is_done_or_if_it_does_not_exist(
    now: datetime,
) -> None:
    delivery = record(now)

    assert claim_delivery(delivery.id, now - timedelta(milliseconds=1), LEASE_S) is None
    claimed = claim(delivery, now)
    # Even with the lease over: the attempt may have been sent.
    assert claim_delivery(delivery.id, now + timedelta(hours=1), LEASE_S) is None
    finish_attempt(claimed, ANSWER, now)
    assert claim_delivery(delivery.id, now + timedelta(hours=1), LEASE_S) is None
    assert claim_delivery(uuid4(), now, LEASE_S) is None
    assert DeliveryAttempt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_inside_a_transaction_is_refused_because_it_would_not_be_on_record(now: datetime) -> None:
    delivery = record(now)
    before = rows(Delivery)

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim_delivery(delivery.id, now, LEASE_S)

    assert rows(Delivery) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("outcome", "state", "status_code", "first_bytes", "error", "duration_ms"),
    [
        (Answered(204, b"", 37), "delivered", 204, "", "", 37),
        (Answered(500, b"oh\x00no", 37), "failed", 500, "oh\ufffdno", "The endpoint answered 500.", 37),
        (NotSent("The host's name has no address."), "failed", None, "", "The host's name has no address.", 2500),
        (Unknown("No answer within 15 seconds."), "unknown", None, "", "No answer within 15 seconds.", 2500),
    ],
)
def test_an_outcome_ends_the_attempt_and_the_delivery(
    outcome: PostOutcome,
    state: str,
    status_code: int | None,
    first_bytes: str,
    error: str,
    duration_ms: int,
    now: datetime,
) -> None:
    delivery = record(now)
    claimed = claim(delivery, now)
    later = now + timedelta(seconds=2.5)

    assert finish_attempt(claimed, outcome, later) is True

    delivery.refresh_from_db()
    assert (delivery.state, delivery.lease_until, delivery.next_attempt_at) == (state, None, None)
    assert (delivery.finished_at, delivery.last_error) == (later, error)
    attempt = delivery.attempts.get()
    assert (attempt.outcome, attempt.finished_at, attempt.status_code) == (state, later, status_code)
    assert (attempt.first_bytes, attempt.error, attempt.duration_ms) == (first_bytes, error, duration_ms)


@pytest.mark.django_db
def test_a_second_outcome_changes_nothing(now: datetime) -> None:
    delivery = record(now)
    claimed = claim(delivery, now)
    finish_attempt(claimed, ANSWER, now)
    before = rows(Delivery), rows(DeliveryAttempt)

    assert finish_attempt(claimed, Unknown("later"), now + timedelta(seconds=1)) is False

    assert (rows(Delivery), rows(DeliveryAttempt)) == before


@pytest.mark.django_db
def test_the_outcome_of_an_erased_delivery_is_dropped(now: datetime) -> None:
    delivery = record(now)
    claimed = claim(delivery, now)
    delivery.delete()

    assert finish_attempt(claimed, ANSWER, now) is False
    assert rows(DeliveryAttempt) == []


@pytest.mark.django_db
def test_an_attempt_whose_worker_crashed_becomes_unknown_and_is_never_repeated(now: datetime) -> None:
    delivery = record(now)
    claim(delivery, now)

    assert close_crashed(now + timedelta(seconds=LEASE_S)) == []
    over = now + timedelta(seconds=LEASE_S, milliseconds=1)
    assert close_crashed(over) == ["evt_1"]

    delivery.refresh_from_db()
    assert (delivery.state, delivery.finished_at, delivery.last_error) == ("unknown", over, CRASHED)
    assert (delivery.lease_until, delivery.next_attempt_at) == (None, None)
    attempt = delivery.attempts.get()
    assert (attempt.outcome, attempt.finished_at, attempt.error) == ("unknown", over, CRASHED)
    assert close_crashed(over + timedelta(days=1)) == []
    assert sweep_due(over + timedelta(days=1)) == []
    assert claim_delivery(delivery.id, over + timedelta(days=1), LEASE_S) is None
    assert DeliveryAttempt.objects.count() == 1


@pytest.mark.django_db
def test_an_answer_that_comes_after_the_attempt_was_declared_unknown_changes_nothing(now: datetime) -> None:
    delivery = record(now)
    claimed = claim(delivery, now)
    close_crashed(now + timedelta(minutes=2))
    before = rows(Delivery), rows(DeliveryAttempt)

    assert finish_attempt(claimed, ANSWER, now + timedelta(minutes=3)) is False

    assert (rows(Delivery), rows(DeliveryAttempt)) == before


@pytest.mark.django_db
def test_an_answer_that_comes_after_the_lease_but_before_anybody_gave_up_is_kept(now: datetime) -> None:
    delivery = record(now)
    claimed = claim(delivery, now)

    assert finish_attempt(claimed, ANSWER, now + timedelta(minutes=3)) is True

    assert close_crashed(now + timedelta(minutes=4)) == []
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


@pytest.mark.django_db
def test_crashed_attempts_are_closed_in_batches_the_longest_overdue_first(now: datetime) -> None:
    for number in (3, 1, 2):
        claim(record(now, f"evt_{number}"), now + timedelta(seconds=number))

    assert close_crashed(now + timedelta(hours=1), limit=2) == ["evt_1", "evt_2"]
    assert close_crashed(now + timedelta(hours=1), limit=2) == ["evt_3"]


@pytest.mark.django_db
def test_a_pending_delivery_is_nudged_again_after_20_seconds_then_after_twice_as_long_each_time(now: datetime) -> None:
    delivery = record(now)
    moment = now
    waits = []
    for wait in (20, 40, 80, 160, 320, 600, 600):
        assert sweep_due(moment + timedelta(seconds=wait, milliseconds=-1)) == []
        moment += timedelta(seconds=wait)
        waits.append(sweep_due(moment))

    assert waits == [[delivery.id]] * 7
    delivery.refresh_from_db()
    assert (delivery.nudges, delivery.nudged_at) == (8, moment)


@pytest.mark.django_db
def test_a_sweep_leaves_alone_what_is_not_due_or_not_pending(now: datetime) -> None:
    claim(record(now, "evt_sending"), now)
    done = record(now, "evt_done")
    finish_attempt(claim(done, now), ANSWER, now)
    later = record(now, "evt_later")
    Delivery.objects.filter(id=later.id).update(next_attempt_at=now + timedelta(hours=2))

    assert sweep_due(now + timedelta(hours=1)) == []
    assert sweep_due(now + timedelta(hours=2)) == [later.id]


@pytest.mark.django_db
def test_a_sweep_takes_no_more_than_its_limit(now: datetime) -> None:
    ids = {record(now, f"evt_{number}").id for number in range(5)}
    later = now + timedelta(minutes=1)

    batches = [sweep_due(later, limit=2) for _ in range(4)]

    assert [len(batch) for batch in batches] == [2, 2, 1, 0]
    assert {delivery_id for batch in batches for delivery_id in batch} == ids


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_do_not_wait_for_each_other_and_do_not_nudge_the_same_delivery(now: datetime) -> None:
    locked = record(now, "evt_locked")
    free = record(now, "evt_free")
    later = now + timedelta(minutes=1)

    def sweep_elsewhere() -> list[UUID]:
        try:
            return sweep_due(later)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Delivery.objects.select_for_update().get(id=locked.id)
        swept = pool.submit(sweep_elsewhere).result(30)

    assert swept == [free.id]


@pytest.mark.django_db
def test_an_owners_deliveries_are_listed_oldest_first_with_their_attempts(
    now: datetime, django_assert_num_queries: Any
) -> None:
    second = record(now + timedelta(seconds=1), "evt_2")
    first = record(now, "evt_1")
    record(now, "evt_other", owner=uuid4())
    claim(second, now + timedelta(seconds=1))

    with django_assert_num_queries(2):
        listed = list_deliveries(OWNER)
        attempts = [[attempt.number for attempt in delivery.attempts.all()] for delivery in listed]

    assert [delivery.id for delivery in listed] == [first.id, second.id]
    assert attempts == [[], [1]]
    assert listed[0].url_host == "example.com"


@pytest.mark.django_db(transaction=True)
def test_a_claim_does_not_wait_for_whoever_holds_the_row_and_makes_no_attempt(now: datetime) -> None:
    delivery = record(now)

    def claim_elsewhere() -> Claimed | None:
        try:
            return claim_delivery(delivery.id, now, LEASE_S)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Delivery.objects.select_for_update().get(id=delivery.id)
        claimed = pool.submit(claim_elsewhere).result(30)

    assert claimed is None
    assert DeliveryAttempt.objects.count() == 0
    assert sweep_due(now + timedelta(seconds=20)) == [delivery.id]


@pytest.mark.django_db
def test_a_sweep_reads_the_line_of_what_is_due_once(now: datetime) -> None:
    """With a batch of a hundred at a time, each batch would read past all that the ones before it had nudged."""
    for number in range(201):
        record(now, f"evt_{number}")

    with CaptureQueriesContext(connection) as queries:
        sweep(now + timedelta(minutes=1))

    assert len([query for query in queries if "WITH due AS" in query["sql"]]) == 1
    assert Delivery.objects.filter(nudges=2).count() == 201


@pytest.mark.django_db
def test_the_database_refuses_a_delivery_that_is_held_and_not_pending(now: datetime) -> None:
    endpoint = Endpoint.objects.create(subscriber=SUBSCRIBER, origin="https://example.com", url_digest="d")
    delivery = record(now)

    with pytest.raises(IntegrityError, match="webhooks_delivery_held_while_pending"):
        Delivery.objects.filter(id=delivery.id).update(
            state="failed", next_attempt_at=None, finished_at=now, held_by=endpoint
        )
