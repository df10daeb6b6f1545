"""Whatever meets a case in whatever order, late, twice or while a worker thinks, its rows tell a legal history."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings as profile
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from cases.models import Client
from tests.cases.machine.history_machine import make_machine
from tests.cases.machine.history_mail import HistoryProvider
from tests.cases.machine.test_ledger_machine import LONG, ORDINARY

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Settings, caplog: pytest.LogCaptureFixture) -> Iterator[HistoryProvider]:
    settings.OFFLOAD_MAX_FAILURES = 2
    caplog.set_level(logging.CRITICAL)
    server = HistoryProvider()
    yield server
    server.close()


def test_a_case_has_a_legal_history_whatever_meets_it(provider: HistoryProvider) -> None:
    machine = make_machine(provider, Client.objects.create(name="Acme"))

    run_state_machine_as_test(machine, settings=profile(ORDINARY, max_examples=40, stateful_step_count=30))


@pytest.mark.long
def test_many_more_cases_have_legal_histories(provider: HistoryProvider) -> None:
    machine = make_machine(provider, Client.objects.create(name="Acme"))

    run_state_machine_as_test(machine, settings=profile(LONG, max_examples=500, stateful_step_count=40))
