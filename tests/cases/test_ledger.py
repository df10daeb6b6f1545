"""The ledger on a real PostgreSQL, with real second connections where two workers meet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from cases import ledger
from cases.ledger import Claim, LeaseLost
from cases.models import Case, CaseEvent, Client
from cases.tasks import sweep_events
from cases.workflow import EventKind
from tests.cases.factories import CaseFactory

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def case() -> Case:
    client = Client.objects.create(name="Acme")
    return Case.objects.create(
        client=client,
        objective="Collect a signed W-9",
        counterparty_name="Maya",
        counterparty_address="maya@northstar.example",
        persona_name="Ana",
        created_at=NOW,
        updated_at=NOW,
    )


def record(case: Case, key: str, kind: EventKind = EventKind.REPLY_RECEIVED, **payload: str) -> ledger.Recorded:
    return ledger.record(case_id=case.id, kind=kind, key=key, payload=payload)


def take(case: Case, worker: str = "a") -> Claim:
    claimed = ledger.claim(case.id, worker)
    assert claimed is not None
    return claimed


def read(event_id: int) -> CaseEvent:
    return CaseEvent.objects.get(pk=event_id)


def let_lease_run_out(claimed: Claim) -> None:
    CaseEvent.objects.filter(pk=claimed.event_id).update(lease_until=NOW - timedelta(days=1))


def make_due(event_id: int) -> None:
    CaseEvent.objects.filter(pk=event_id).update(run_after=NOW - timedelta(days=1))


def in_parallel(*calls: Callable[[], object]) -> list[object]:
    """Runs the calls on connections of their own, started together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            barrier.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(run, call) for call in calls]]


def test_the_same_key_is_recorded_once_and_the_first_payload_stays(case: Case) -> None:
    first = record(case, "reply:1", text="first")

    again = record(case, "reply:1", text="second")

    assert (first.is_new, again.is_new, again.event_id) == (True, False, first.event_id)
    assert read(first.event_id).payload == {"text": "first"}
    assert CaseEvent.objects.count() == 1


def test_one_key_recorded_by_ten_connections_at_once_is_one_event(case: Case) -> None:
    recorded = in_parallel(*[lambda: record(case, "reply:1") for _ in range(10)])

    assert sum(1 for one in recorded if isinstance(one, ledger.Recorded) and one.is_new) == 1
    assert CaseEvent.objects.count() == 1


def test_an_event_recorded_in_a_transaction_that_rolls_back_never_was(case: Case) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record(case, "reply:1")
        raise RuntimeError

    assert CaseEvent.objects.count() == 0


def test_an_event_for_no_case_is_refused_by_the_database() -> None:
    with pytest.raises(IntegrityError):
        ledger.record(case_id=uuid4(), kind=EventKind.CASE_CREATED, key="created:x", payload={})

    assert CaseEvent.objects.count() == 0


def test_claims_come_in_the_order_of_recording_one_at_a_time(case: Case) -> None:
    first, second = record(case, "reply:1"), record(case, "reply:2")

    claimed = take(case)
    assert claimed.event_id == first.event_id
    assert ledger.claim(case.id, "b") is None
    ledger.finish(claimed, "done")

    assert take(case, "b").event_id == second.event_id


def test_of_ten_workers_at_once_exactly_one_gets_the_event(case: Case) -> None:
    record(case, "reply:1")

    claims = in_parallel(*[lambda: ledger.claim(case.id, "w") for _ in range(10)])

    assert sum(1 for one in claims if one is not None) == 1
    assert CaseEvent.objects.get().attempt == 1


def test_two_cases_do_not_wait_for_each_other(case: Case) -> None:
    other = Case.objects.get(pk=case.pk)
    other.pk = uuid4()
    other.save(force_insert=True)
    record(case, "reply:1")
    record(other, "reply:2")

    assert take(case).case_id == case.id
    assert take(other).case_id == other.id


def test_a_claim_carries_what_was_recorded(case: Case) -> None:
    recorded = record(case, "input:1", EventKind.INPUT_PROVIDED, input_request_id="7")

    claimed = take(case)

    assert claimed == Claim(
        event_id=recorded.event_id,
        case_id=case.id,
        kind=EventKind.INPUT_PROVIDED,
        payload={"input_request_id": "7"},
        attempt=1,
        failures=0,
        waits=0,
        claimed_at=claimed.claimed_at,
    )


def test_a_lease_that_ran_out_goes_to_the_next_worker_and_fences_the_first(case: Case) -> None:
    record(case, "reply:1")
    slow = take(case, "slow")
    let_lease_run_out(slow)

    fast = take(case, "fast")

    assert (fast.event_id, fast.attempt, fast.failures) == (slow.event_id, 2, 1)
    assert not ledger.heartbeat(slow)
    for late in (
        lambda: ledger.finish(slow, "late"),
        lambda: ledger.fence(slow),
        lambda: ledger.postpone(slow, "late", None),
        lambda: ledger.fail(slow, "late"),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert read(fast.event_id).status == CaseEvent.RUNNING
    ledger.finish(fast, "done")
    assert read(fast.event_id).summary == "done"


def test_effects_of_a_worker_that_lost_its_lease_are_rolled_back(case: Case) -> None:
    record(case, "reply:1")
    slow = take(case, "slow")
    let_lease_run_out(slow)
    take(case, "fast")

    with pytest.raises(LeaseLost), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(objective="changed by a late worker")
        ledger.finish(slow, "late")

    case.refresh_from_db()
    assert case.objective == "Collect a signed W-9"


def test_a_heartbeat_extends_a_lease_that_holds(case: Case, settings: Settings) -> None:
    record(case, "reply:1")
    settings.OFFLOAD_LEASE_SECONDS = 10
    claimed = take(case)
    before = read(claimed.event_id).lease_until
    settings.OFFLOAD_LEASE_SECONDS = 60

    assert ledger.heartbeat(claimed)

    after = read(claimed.event_id).lease_until
    assert before is not None
    assert after is not None
    assert after - before > timedelta(seconds=49)


def test_a_heartbeat_never_revives_a_lease_that_ran_out(case: Case) -> None:
    record(case, "reply:1")
    claimed = take(case)
    let_lease_run_out(claimed)

    assert not ledger.heartbeat(claimed)

    assert read(claimed.event_id).lease_until == NOW - timedelta(days=1)


def test_a_finished_event_is_never_claimed_again_and_cannot_be_finished_twice(case: Case) -> None:
    record(case, "reply:1")
    claimed = take(case)
    ledger.finish(claimed, "done")

    with pytest.raises(LeaseLost):
        ledger.finish(claimed, "again")

    assert ledger.claim(case.id, "b") is None
    event = read(claimed.event_id)
    assert (event.status, event.summary, event.lease_until) == (CaseEvent.DONE, "done", None)


def test_a_failure_waits_with_backoff_and_counts(case: Case) -> None:
    record(case, "reply:1")

    died = ledger.fail(take(case), "ValueError: no")

    event = CaseEvent.objects.get()
    assert died is False
    assert (event.status, event.failures, event.last_error) == (CaseEvent.READY, 1, "ValueError: no")
    assert ledger.claim(case.id, "b") is None


def test_the_event_dies_at_the_limit_with_its_reason_and_later_events_go_on(case: Case, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 3
    poison, healthy = record(case, "reply:1"), record(case, "reply:2")

    died = []
    for _ in range(3):
        make_due(poison.event_id)
        died.append(ledger.fail(take(case), "ValueError: no"))

    event = read(poison.event_id)
    assert died == [False, False, True]
    assert (event.status, event.failures, event.last_error) == (CaseEvent.DEAD, 3, "ValueError: no")
    assert take(case).event_id == healthy.event_id


def test_an_event_that_kills_its_worker_dies_at_the_limit_too(case: Case, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 3
    record(case, "reply:1")
    for _ in range(3):
        let_lease_run_out(take(case))

    assert ledger.claim(case.id, "next") is None

    event = CaseEvent.objects.get()
    assert (event.status, event.failures) == (CaseEvent.DEAD, 3)
    assert event.last_error == "The worker died or hung: its lease ran out."


def test_waiting_for_the_other_side_never_counts_as_a_failure(case: Case, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 2
    recorded = record(case, "reply:1")

    for _ in range(10):
        make_due(recorded.event_id)
        ledger.postpone(take(case), "busy", None)

    event = read(recorded.event_id)
    assert (event.status, event.failures, event.waits, event.attempt) == (CaseEvent.READY, 0, 10, 10)


def test_a_named_wait_is_kept(case: Case) -> None:
    record(case, "reply:1")
    claimed = take(case)
    started = read(claimed.event_id).started_at

    ledger.postpone(claimed, "429", 90)

    event = read(claimed.event_id)
    assert started is not None
    assert timedelta(seconds=89) < event.run_after - started < timedelta(seconds=100)


def test_recording_an_event_wakes_the_head_that_waits(case: Case) -> None:
    first = record(case, "created", EventKind.CASE_CREATED)
    ledger.postpone(take(case), "429", 3600)
    assert ledger.claim(case.id, "b") is None

    record(case, "reply:1")

    assert take(case).event_id == first.event_id


def test_a_row_that_is_born_done_is_for_the_timeline_only(case: Case) -> None:
    recorded = ledger.record(
        case_id=case.id,
        kind=EventKind.DELIVERY_FAILED,
        key="agentmail:1",
        payload={},
        summary="It bounced.",
        born_done=True,
    )

    event = read(recorded.event_id)
    assert (event.status, event.summary, event.finished_at is not None) == (CaseEvent.DONE, "It bounced.", True)
    assert ledger.claim(case.id, "a") is None
    assert ledger.sweep() == []


def test_the_sweep_finds_each_due_case_once_and_then_waits(case: Case) -> None:
    record(case, "reply:1")
    record(case, "reply:2")

    assert ledger.sweep() == [case.id]
    assert ledger.sweep() == []


def test_the_sweep_nudges_again_after_a_doubling_time(case: Case) -> None:
    recorded = record(case, "reply:1")
    ledger.sweep()

    def sweep_after(seconds: int) -> list[UUID]:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE cases_caseevent SET nudged_at = now() - %s * interval '1 second' WHERE id = %s",
                [seconds, recorded.event_id],
            )
        return ledger.sweep()

    assert sweep_after(19) == []
    assert sweep_after(21) == [case.id]
    assert sweep_after(39) == []
    assert sweep_after(41) == [case.id]


def test_a_queue_that_lost_every_message_costs_a_minute_however_often_it_had_lost_them_before(case: Case) -> None:
    record(case, "reply:1")

    def sweep_after(seconds: int) -> list[UUID]:
        CaseEvent.objects.update(nudges=6, nudged_at=datetime.now(UTC) - timedelta(seconds=seconds))
        return ledger.sweep(patience_s=ledger.measure_patience())

    assert sweep_after(59) == []
    assert sweep_after(61) == [case.id]
    CaseEvent.objects.update(nudges=6, nudged_at=datetime.now(UTC) - timedelta(seconds=61))
    sweep_events()
    assert CaseEvent.objects.get().nudges == 7


def test_the_more_is_open_the_longer_a_nudge_is_waited_for_so_that_the_queue_is_not_choked(case: Case) -> None:
    def add_events(count: int) -> None:
        CaseEvent.objects.bulk_create(
            CaseEvent(case=case, key=f"many:{uuid4()}", kind=EventKind.REPLY_RECEIVED, run_after=NOW, created_at=NOW)
            for _ in range(count)
        )

    add_events(600)
    assert ledger.measure_patience() == 60
    add_events(600)
    assert ledger.measure_patience() == 120
    CaseEvent.objects.filter(pk__in=CaseEvent.objects.all()[:600]).update(status="done", finished_at=NOW)
    assert ledger.measure_patience() == 60


def test_what_is_not_due_and_what_is_paused_makes_no_lost_nudge_cost_more(case: Case) -> None:
    def add_events(of_case: Case, **values: Any) -> None:
        CaseEvent.objects.bulk_create(
            CaseEvent(case=of_case, key=f"many:{uuid4()}", kind=EventKind.REPLY_RECEIVED, created_at=NOW, **values)
            for _ in range(1200)
        )

    paused = CaseFactory.create(paused_at=NOW)
    add_events(paused, run_after=NOW)
    add_events(case, run_after=datetime.now(UTC) + timedelta(hours=1))

    assert ledger.measure_patience() == 60


def test_with_much_open_and_nobody_at_work_the_sweep_nudges_at_once(case: Case) -> None:
    CaseEvent.objects.bulk_create(
        CaseEvent(case=case, key=f"many:{uuid4()}", kind=EventKind.REPLY_RECEIVED, run_after=NOW, created_at=NOW)
        for _ in range(1200)
    )
    other, busy = CaseFactory.create(), CaseFactory.create()
    event_id = record(other, "reply:lost").event_id
    record(busy, "reply:busy")
    claimed = take(busy)

    sweep_events()
    assert read(event_id).nudges == 0

    ledger.finish(claimed, "done")
    sweep_events()
    assert read(event_id).nudges == 1


def test_with_much_open_a_nudge_that_waits_its_turn_in_the_queue_is_not_repeated(case: Case) -> None:
    record(case, "reply:1")

    def sweep_after(seconds: int, since: str) -> list[UUID]:
        CaseEvent.objects.update(**{since: datetime.now(UTC) - timedelta(seconds=seconds)})
        return ledger.sweep(soonest_s=540)

    # Whoever recorded it has nudged for it.
    assert sweep_after(539, "run_after") == []
    assert sweep_after(541, "run_after") == [case.id]
    assert sweep_after(539, "nudged_at") == []
    assert sweep_after(541, "nudged_at") == [case.id]


def test_with_much_open_a_retry_and_a_lease_that_ran_out_are_found_at_once(case: Case) -> None:
    record(case, "reply:1")
    ledger.postpone(take(case), "not now", 1)
    CaseEvent.objects.update(run_after=datetime.now(UTC))
    assert ledger.sweep(soonest_s=540) == [case.id]

    let_lease_run_out(take(case))
    CaseEvent.objects.update(nudged_at=datetime.now(UTC) - timedelta(seconds=21))

    assert ledger.sweep(soonest_s=540) == [case.id]


def test_the_task_takes_a_nudge_for_one_that_waits_its_turn_as_long_as_much_is_open(case: Case) -> None:
    key = record(case, "reply:1").event_id
    busy = CaseFactory.create()
    record(busy, "reply:busy")
    take(busy)
    others = [
        CaseEvent(case=case, key=f"many:{uuid4()}", kind=EventKind.REPLY_RECEIVED, run_after=NOW, created_at=NOW)
        for _ in range(1200)
    ]
    CaseEvent.objects.bulk_create(others)

    def count_nudges_after(seconds: int) -> int:
        CaseEvent.objects.filter(pk=key).update(run_after=datetime.now(UTC) - timedelta(seconds=seconds))
        sweep_events()
        return CaseEvent.objects.get(pk=key).nudges

    assert count_nudges_after(50) == 0
    assert count_nudges_after(70) == 1


def test_the_sweep_finds_a_lease_that_ran_out_and_leaves_one_that_holds(case: Case) -> None:
    record(case, "reply:1")
    claimed = take(case)
    assert ledger.sweep() == []

    let_lease_run_out(claimed)

    assert ledger.sweep() == [case.id]


def test_sweeps_at_once_share_the_work(case: Case) -> None:
    cases = [case]
    for _ in range(19):
        copy = Case.objects.get(pk=case.pk)
        copy.pk = uuid4()
        copy.save(force_insert=True)
        cases.append(copy)
    for one in cases:
        record(one, f"created:{one.id}", EventKind.CASE_CREATED)

    found = in_parallel(*[ledger.sweep for _ in range(4)])

    together = [case_id for part in found if isinstance(part, list) for case_id in part]
    assert sorted(together) == sorted(one.id for one in cases)


def test_a_dead_event_is_put_back_with_a_clean_count(case: Case, settings: Settings) -> None:
    settings.OFFLOAD_MAX_FAILURES = 1
    recorded = record(case, "reply:1")
    ledger.fail(take(case), "no")
    assert read(recorded.event_id).status == CaseEvent.DEAD

    assert ledger.requeue(recorded.event_id) == case.id

    claimed = take(case)
    assert (claimed.event_id, claimed.failures, claimed.attempt) == (recorded.event_id, 0, 2)
    assert ledger.requeue(recorded.event_id) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "lost"},
        {"status": "running"},
        {"status": "done"},
        {"lease_until": NOW},
        {"finished_at": NOW},
    ],
)
def test_the_database_refuses_a_row_that_contradicts_itself(case: Case, changes: dict[str, object]) -> None:
    recorded = record(case, "reply:1")

    with pytest.raises(IntegrityError):
        CaseEvent.objects.filter(pk=recorded.event_id).update(**changes)

    event = read(recorded.event_id)
    assert (event.status, event.lease_until, event.finished_at) == (CaseEvent.READY, None, None)


def test_a_requeued_event_is_claimed_although_the_worker_of_the_one_behind_it_has_died(case: Case) -> None:
    first = record(case, "first")
    CaseEvent.objects.filter(pk=first.event_id).update(status="dead", finished_at=NOW)
    second = record(case, "second")
    behind = take(case)
    assert ledger.requeue(first.event_id) == case.id
    assert ledger.claim(case.id, "b") is None
    let_lease_run_out(behind)

    claimed = take(case, "b")

    assert claimed.event_id == first.event_id
    assert (read(second.event_id).status, read(second.event_id).failures) == ("ready", 1)
