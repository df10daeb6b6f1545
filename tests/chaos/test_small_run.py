"""A run of chaos that is small enough for every test run; `./dev chaos` plays the full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import Options
from tests.chaos.run import perform

pytestmark = pytest.mark.chaos

SMALL = Options(cases=30, kills=10, database_restarts=1, queue_wipes=1, seed=20261124, is_long=False)


def test_kills_and_faults_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    outcome = perform(SMALL, tmp_path)

    print(outcome.figures)  # noqa: T201 -- pytest shows it with -s, and when the test fails
    assert outcome.is_good, f"{outcome.stories}\n{outcome.figures}"
    assert sum(outcome.run.struck.values()) == 13
