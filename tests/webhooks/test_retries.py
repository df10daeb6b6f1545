"""Deliveries of a subscriber who opted in to retries, and of one who did not; every wait is a row."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from tests.webhooks.deliveries import LEASE_S, SUBSCRIBER, claim, record, rows
from webhooks.endpoints import list_paused, release_held, resume_endpoint
from webhooks.models import HELD_UNTIL, Delivery, DeliveryAttempt, Endpoint
from webhooks.outcomes import Answered, NotSent, PostOutcome, Unknown
from webhooks.policies import change_policy
from webhooks.services import CRASHED, claim_delivery, close_crashed, finish_attempt, resend_delivery, sweep_due
from webhooks.totals import read_totals

DELIVERED = Answered(200, b"thanks", 37)
FAILED = Answered(500, b"oh no", 37)
GONE = Answered(410, b"", 37)
SILENT = Unknown("No answer within 15 seconds.")


def middle() -> float:
    """Luck that moves no attempt."""
    return 0.5


@pytest.fixture
def retried(now: datetime) -> UUID:
    change_policy(SUBSCRIBER, retries=True, by="ana", now=now)
    return SUBSCRIBER


def attempt(delivery: Delivery, at: datetime, outcome: PostOutcome = FAILED) -> Delivery:
    """Makes one attempt that takes no time; returns the delivery as it stands then."""
    assert finish_attempt(claim(delivery, at), outcome, at, middle)
    delivery.refresh_from_db()
    return delivery


def fail_until_over(delivery: Delivery) -> list[datetime]:
    """Makes every attempt when it is due, each in vain; returns when they were made."""
    made = []
    while delivery.next_attempt_at is not None:
        made.append(delivery.next_attempt_at)
        attempt(delivery, delivery.next_attempt_at)
    return made


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [FAILED, GONE, SILENT, NotSent("nobody there")])
@pytest.mark.parametrize("signs", [False, True])
def test_who_did_not_opt_in_to_retries_gets_one_attempt_and_no_endpoint(
    now: datetime, outcome: PostOutcome, signs: bool
) -> None:
    change_policy(SUBSCRIBER, signs=signs, by="ana", now=now)
    delivery = attempt(record(now, subscriber=SUBSCRIBER), now, outcome)

    assert delivery.state == ("unknown" if outcome is SILENT else "failed")
    assert (delivery.next_attempt_at, delivery.finished_at) == (None, now)
    assert sweep_due(now + timedelta(days=9)) == []
    assert rows(Endpoint) == []


@pytest.mark.django_db
def test_an_endpoint_that_never_answers_gets_eight_attempts_and_then_it_is_over(now: datetime, retried: UUID) -> None:
    delivery = record(now, subscriber=retried)

    made = fail_until_over(delivery)

    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(made)]
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    assert (delivery.state, delivery.finished_at, delivery.tries) == ("failed", made[-1], 8)
    assert [row["number"] for row in rows(DeliveryAttempt)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {(row["outcome"], row["status_code"]) for row in rows(DeliveryAttempt)} == {("failed", 500)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "outcome", [Answered(404, b"", 1), Answered(429, b"", 1), SILENT, NotSent("The host's name has no address.")]
)
def test_every_failure_is_tried_again_and_the_success_ends_it(
    now: datetime, retried: UUID, outcome: PostOutcome
) -> None:
    delivery = attempt(record(now, subscriber=retried), now, outcome)
    assert (delivery.state, delivery.next_attempt_at, delivery.finished_at) == (
        "pending",
        now + timedelta(seconds=5),
        None,
    )
    assert delivery.last_error != ""

    attempt(delivery, now + timedelta(seconds=5), DELIVERED)

    assert (delivery.state, delivery.next_attempt_at, delivery.last_error) == ("delivered", None, "")
    assert [row["outcome"] for row in rows(DeliveryAttempt)][1:] == ["delivered"]


@pytest.mark.django_db
def test_no_attempt_is_made_before_it_is_due(now: datetime, retried: UUID) -> None:
    delivery = attempt(record(now, subscriber=retried), now)
    early = now + timedelta(seconds=5, microseconds=-1)

    assert claim_delivery(delivery.id, early, LEASE_S) is None
    assert sweep_due(early) == []
    assert sweep_due(now + timedelta(seconds=5)) == [delivery.id]
    assert claim_delivery(delivery.id, now + timedelta(seconds=5), LEASE_S) is not None


@pytest.mark.django_db
def test_event_id_and_body_are_the_same_at_every_attempt(now: datetime, retried: UUID) -> None:
    delivery = record(now, subscriber=retried)
    first = claim(delivery, now)
    finish_attempt(first, FAILED, now, middle)

    second = claim(delivery, now + timedelta(seconds=5))

    assert (second.event_id, second.body, second.url) == (first.event_id, first.body, first.url)
    assert (first.number, second.number) == (1, 2)


@pytest.mark.django_db
def test_retry_after_puts_the_next_attempt_off(now: datetime, retried: UUID) -> None:
    delivery = attempt(record(now, subscriber=retried), now, Answered(429, b"", 1, "3600"))

    assert delivery.next_attempt_at == now + timedelta(hours=1)


@pytest.mark.django_db
def test_a_crash_between_the_attempts_row_and_its_answer_leaves_an_unknown_attempt_and_is_tried_again(
    now: datetime, retried: UUID
) -> None:
    delivery = record(now, subscriber=retried)
    claim(delivery, now)
    over = now + timedelta(seconds=LEASE_S + 1)

    assert close_crashed(over, draw=middle) == ["evt_1"]

    delivery.refresh_from_db()
    assert (delivery.state, delivery.next_attempt_at, delivery.lease_until) == (
        "pending",
        over + timedelta(seconds=5),
        None,
    )
    [row] = rows(DeliveryAttempt)
    assert (row["outcome"], row["error"], row["finished_at"]) == ("unknown", CRASHED, over)
    assert claim(delivery, over + timedelta(seconds=5)).number == 2


@pytest.mark.django_db
def test_the_late_answer_of_a_worker_that_was_given_up_changes_nothing(now: datetime, retried: UUID) -> None:
    delivery = record(now, subscriber=retried)
    late = claim(delivery, now)
    close_crashed(now + timedelta(hours=1), draw=middle)
    second = claim(delivery, now + timedelta(hours=2))
    before = rows(Delivery), rows(DeliveryAttempt)

    assert finish_attempt(late, DELIVERED, now + timedelta(hours=2), middle) is False

    assert (rows(Delivery), rows(DeliveryAttempt)) == before
    assert finish_attempt(second, DELIVERED, now + timedelta(hours=2), middle) is True


@pytest.mark.django_db(transaction=True)
def test_of_ten_workers_with_the_same_retry_one_gets_it(now: datetime, retried: UUID) -> None:
    delivery = attempt(record(now, subscriber=retried), now)
    due = now + timedelta(seconds=5)
    barrier = threading.Barrier(10)

    def take(_: int) -> bool:
        try:
            barrier.wait(30)
            return claim_delivery(delivery.id, due, LEASE_S) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(take, range(10)))

    assert taken.count(True) == 1
    assert [row["number"] for row in rows(DeliveryAttempt)] == [1, 2]


@pytest.mark.django_db
def test_who_opts_out_gets_no_further_attempt_of_what_was_tried_and_the_first_of_what_was_not(
    now: datetime, retried: UUID
) -> None:
    failed = attempt(record(now, "evt_failed", subscriber=retried), now)
    silent = attempt(record(now, "evt_silent", subscriber=retried), now, SILENT)
    untried = record(now, "evt_untried", subscriber=retried)
    other = uuid4()
    change_policy(other, retries=True, by="ana", now=now)
    others = attempt(record(now, "evt_others", subscriber=other), now)
    later = now + timedelta(seconds=3)

    change_policy(retried, retries=False, by="ana", now=later)

    for delivery, state in ((failed, "failed"), (silent, "unknown")):
        delivery.refresh_from_db()
        assert (delivery.state, delivery.next_attempt_at, delivery.finished_at) == (state, None, later)
    assert attempt(untried, later).state == "failed"
    others.refresh_from_db()
    assert others.state == "pending"


@pytest.mark.django_db
def test_who_opts_out_still_gets_once_what_somebody_asked_for_by_hand(now: datetime, retried: UUID) -> None:
    delivery = attempt(record(now, subscriber=retried), now)
    resend_delivery(delivery.id, by="sam", now=now)

    change_policy(retried, retries=False, by="ana", now=now)

    assert attempt(delivery, now).state == "failed"
    assert delivery.attempts.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_opt_out_waits_for_the_attempt_that_is_being_stored_and_ends_its_retry_too(
    now: datetime, retried: UUID
) -> None:
    delivery = record(now, subscriber=retried)
    claimed = claim(delivery, now)
    is_storing, may_go_on = threading.Event(), threading.Event()

    def draw() -> float:
        # Asked for while the attempt's transaction holds the policy.
        is_storing.set()
        may_go_on.wait(30)
        return 0.5

    def store() -> bool:
        try:
            return finish_attempt(claimed, FAILED, now, draw)
        finally:
            connection.close()

    def opt_out() -> None:
        try:
            change_policy(retried, retries=False, by="ana", now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        stored = pool.submit(store)
        assert is_storing.wait(30)
        left = pool.submit(opt_out)
        wait_until_somebody_waits_for_a_lock()
        may_go_on.set()
        assert stored.result(30) is True
        left.result(30)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.next_attempt_at) == ("failed", None)


def wait_until_somebody_waits_for_a_lock() -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(10_000):
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone():
                return
    raise AssertionError("nobody waited for a lock")


# -- Endpoints


def pause(now: datetime, subscriber: UUID, url: str = "https://example.com/hook?token=1") -> Endpoint:
    attempt(record(now, f"evt_{uuid4()}", subscriber=subscriber, url=url), now, GONE)
    return Endpoint.objects.get(paused_at=now)


@pytest.mark.django_db
def test_an_endpoint_that_is_gone_is_paused_at_once_and_its_delivery_has_failed(now: datetime, retried: UUID) -> None:
    delivery = attempt(record(now, subscriber=retried), now, GONE)

    assert (delivery.state, delivery.last_error) == ("failed", "The endpoint answered 410.")
    [row] = rows(Endpoint)
    assert (row["origin"], row["paused_at"], row["last_error"]) == (
        "https://example.com",
        now,
        "The endpoint answered 410.",
    )


@pytest.mark.django_db
def test_five_days_of_nothing_but_failure_pause_an_endpoint_and_what_comes_then_waits(
    now: datetime, retried: UUID
) -> None:
    attempt(record(now, "evt_1", subscriber=retried), now)
    almost = now + timedelta(days=5, seconds=-1)
    attempt(record(almost, "evt_2", subscriber=retried), almost)
    assert list_paused() == []
    five_days = now + timedelta(days=5)
    third = attempt(record(five_days, "evt_3", subscriber=retried), five_days)
    [endpoint] = [paused.endpoint for paused in list_paused(retried)]
    assert (endpoint.failing_since, endpoint.paused_at) == (now, five_days)

    fourth = record(five_days, "evt_4", subscriber=retried)
    assert claim_delivery(fourth.id, five_days, LEASE_S) is None
    assert claim_delivery(third.id, five_days + timedelta(seconds=5), LEASE_S) is None

    for delivery in (third, fourth):
        delivery.refresh_from_db()
        assert (delivery.state, delivery.next_attempt_at, delivery.held_by) == ("pending", HELD_UNTIL, endpoint)
    assert not {third.id, fourth.id} & set(sweep_due(five_days + timedelta(days=30)))
    assert list_paused(retried)[0].waiting == 2


@pytest.mark.django_db
def test_one_success_begins_the_five_days_anew(now: datetime, retried: UUID) -> None:
    attempt(record(now, "evt_1", subscriber=retried), now)
    later = now + timedelta(days=4)
    attempt(record(later, "evt_2", subscriber=retried), later, DELIVERED)
    sixth = now + timedelta(days=6)

    attempt(record(sixth, "evt_3", subscriber=retried), sixth)

    assert list_paused() == []
    assert Endpoint.objects.get().failing_since == sixth


@pytest.mark.django_db
def test_a_resumed_endpoint_gets_what_waited_for_it_after_the_next_sweep(now: datetime, retried: UUID) -> None:
    endpoint = pause(now, retried)
    waiting = record(now, "evt_waiting", subscriber=retried)
    assert claim_delivery(waiting.id, now, LEASE_S) is None
    later = now + timedelta(days=3)
    assert release_held(later, 100) == 0

    assert resume_endpoint(endpoint.pk, by="bo", now=later) is True

    assert release_held(later, 100) == 1
    assert sweep_due(later) == [waiting.id]
    assert attempt(waiting, later, DELIVERED).state == "delivered"
    endpoint.refresh_from_db()
    assert (endpoint.paused_at, endpoint.failing_since, endpoint.resumed_at, endpoint.resumed_by) == (
        None,
        None,
        later,
        "bo",
    )


@pytest.mark.django_db
def test_to_resume_what_is_not_paused_changes_nothing(now: datetime, retried: UUID) -> None:
    attempt(record(now, subscriber=retried), now)
    before = rows(Endpoint)

    assert resume_endpoint(before[0]["id"], by="bo", now=now) is False
    assert resume_endpoint(before[0]["id"] + 1, by="bo", now=now) is False

    assert rows(Endpoint) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "is_paused"),
    [
        ("https://example.com/hook?token=2#x", True),
        ("https://EXAMPLE.com/hook", True),
        ("https://example.com/other", False),
        ("https://example.com:8443/hook", False),
        ("http://example.com/hook", False),
    ],
)
def test_an_endpoint_is_a_url_without_its_query(now: datetime, retried: UUID, url: str, is_paused: bool) -> None:
    pause(now, retried)

    claimed = claim_delivery(record(now, subscriber=retried, url=url).id, now, LEASE_S)

    assert (claimed is None) is is_paused


@pytest.mark.django_db
def test_one_subscribers_endpoint_is_not_anothers(now: datetime, retried: UUID) -> None:
    pause(now, retried)
    other = uuid4()
    change_policy(other, retries=True, by="ana", now=now)

    assert claim_delivery(record(now, "evt_other", subscriber=other).id, now, LEASE_S) is not None
    assert claim_delivery(record(now, "evt_nobodys").id, now, LEASE_S) is not None


@pytest.mark.django_db
def test_who_opts_out_of_retries_has_no_paused_endpoint_and_what_waited_gets_its_one_attempt(
    now: datetime, retried: UUID
) -> None:
    pause(now, retried)
    waiting = record(now, "evt_waiting", subscriber=retried)
    claim_delivery(waiting.id, now, LEASE_S)

    change_policy(retried, retries=False, by="ana", now=now)

    assert release_held(now, 100) == 1
    assert attempt(waiting, now).state == "failed"


@pytest.mark.django_db(transaction=True)
def test_ten_failures_at_once_make_one_endpoint(now: datetime, retried: UUID) -> None:
    claims = [claim(record(now, f"evt_{number}", subscriber=retried), now) for number in range(10)]
    barrier = threading.Barrier(10)

    def fail(number: int) -> bool:
        try:
            barrier.wait(30)
            return finish_attempt(claims[number], GONE, now, middle)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(fail, range(10)))

    assert [row["paused_at"] for row in rows(Endpoint)] == [now]
    assert read_totals() == {"delivered": 0, "failed": 10, "unknown": 0}


@pytest.mark.django_db
def test_every_ended_attempt_is_counted_and_stays_counted(now: datetime, retried: UUID) -> None:
    attempt(record(now, "evt_1", subscriber=retried), now)
    attempt(record(now, "evt_2", subscriber=retried), now, DELIVERED)
    attempt(record(now, "evt_3"), now, SILENT)
    claim(record(now, "evt_4"), now)
    close_crashed(now + timedelta(hours=1))
    Delivery.objects.all().delete()

    assert read_totals() == {"delivered": 1, "failed": 1, "unknown": 2}


def test_the_totals_of_outcomes_name_all_of_them(db: Any) -> None:
    assert read_totals() == {"delivered": 0, "failed": 0, "unknown": 0}
