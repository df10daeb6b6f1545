"""A seed is a run: the same every time, and with everything in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tests.chaos.plan import (
    KILLS,
    READ_FAULTS,
    SEND_FAULTS,
    WEBHOOK_FAULTS,
    Blow,
    Options,
    Shape,
    make_plan,
)
from tests.chaos.stories import STORIES

FULL = Options(cases=300, kills=100, database_restarts=5, queue_wipes=5, seed=7, is_long=True)


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    assert make_plan(FULL) == make_plan(FULL)
    assert make_plan(FULL).strikes != make_plan(replace(FULL, seed=8)).strikes
    assert make_plan(FULL).cases != make_plan(replace(FULL, seed=8)).cases


def test_a_run_strikes_as_often_as_it_was_asked_to() -> None:
    struck = Counter(strike.blow for strike in make_plan(FULL).strikes)

    assert sum(struck[blow] for blow in set(KILLS)) == 100
    assert (struck[Blow.RESTART_DATABASE], struck[Blow.WIPE_QUEUE], struck[Blow.STOP_QUEUE]) == (5, 5, 3)
    assert struck[Blow.KILL_WORKER] > struck[Blow.KILL_WEB] > 0
    assert struck[Blow.KILL_BEAT] > 0


def test_every_shape_and_every_kind_of_fault_occurs_in_a_small_run_too() -> None:
    plan = make_plan(replace(FULL, cases=30, kills=10, is_long=False))
    played = [(order.channel, order.fault) for order in plan.faults]

    assert {case.shape for case in plan.cases} == set(Shape) - {Shape.CANCEL_EARLY}
    assert {case.shape for case in make_plan(FULL).cases} == set(Shape) == set(STORIES)
    for channel, kinds in (("send", SEND_FAULTS), ("read", READ_FAULTS), ("webhook", WEBHOOK_FAULTS)):
        assert all((channel, fault) in played for fault in kinds)
