"""The machine bites: every deliberate fault in the ledger breaks a promise within its examples."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest
from django.db import Error
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cases.machine.ledger_machine import make_machine
from tests.cases.machine.ledger_model import BrokenPromise
from tests.cases.machine.mutants import MUTANTS, Mutant, load_mutant
from tests.cases.machine.test_ledger_machine import ORDINARY

logger = logging.getLogger(__name__)

# The first failure will do: to shrink it took minutes.
HUNT = settings(ORDINARY, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)


def hunt(mutant: Mutant, case_ids: list[UUID]) -> None:
    """Passes when the mutant is killed; the log says by which promise (`--log-cli-level=INFO`)."""
    with load_mutant(mutant) as ledger, pytest.raises((BrokenPromise, Error)) as killed:
        run_state_machine_as_test(make_machine(ledger, case_ids), settings=HUNT)
    by = killed.value.promise if isinstance(killed.value, BrokenPromise) else type(killed.value).__name__
    logger.info("%s: killed by %s", mutant, by)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.is_quick], ids=str)
def test_a_fault_in_the_ledger_is_found(mutant: Mutant, case_ids: list[UUID]) -> None:
    hunt(mutant, case_ids)


@pytest.mark.long
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if not m.is_quick], ids=str)
def test_a_subtle_fault_in_the_ledger_is_found(mutant: Mutant, case_ids: list[UUID]) -> None:
    hunt(mutant, case_ids)
