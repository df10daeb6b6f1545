"""The ledger keeps its promises in whatever order recorders, workers, sweeps and time act."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cases import ledger
from tests.cases.machine.ledger_machine import make_machine

# The same examples in each run, so that a failure is the change's and never the day's.
ORDINARY = settings(
    max_examples=100,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    # To explain a failure takes minutes more.
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
# Other examples in each run; the failing one is printed and can be replayed.
LONG = settings(ORDINARY, max_examples=1000, derandomize=False, print_blob=True)


def test_the_ledger_keeps_its_promises_in_any_order_of_steps(case_ids: list[UUID]) -> None:
    run_state_machine_as_test(make_machine(ledger, case_ids), settings=ORDINARY)


@pytest.mark.long
def test_the_ledger_keeps_its_promises_in_many_more_orders(case_ids: list[UUID]) -> None:
    run_state_machine_as_test(make_machine(ledger, case_ids), settings=LONG)
