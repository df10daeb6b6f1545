"""How many statements the ledger costs an event: round trips are what a worker's throughput is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases import ledger, services
from cases.agent.decisions import GoalAchieved
from cases.handlers.work import handle_claim, work_on_case
from cases.ledger import Claim
from cases.models import CaseEvent
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def captured() -> Iterator[list[str]]:
    """Yields the first words of each statement, BEGIN and COMMIT included, once the block has ended."""
    statements: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield statements
    statements += [" ".join(query["sql"].split()[:2]) for query in queries.captured_queries]


def claim(desk: Desk) -> Claim:
    claimed = ledger.claim(desk.case.id, "test")
    assert claimed is not None
    return claimed


def test_claim_and_finish_cost_two_statements(desk: Desk) -> None:
    with captured() as statements:
        ledger.finish(claim(desk), "Nothing to do.")

    assert statements == ["UPDATE cases_caseevent", "UPDATE cases_caseevent"]
    assert CaseEvent.objects.get(case=desk.case).status == CaseEvent.DONE


def test_an_event_that_calls_for_nothing_costs_five_statements_from_claim_to_finish(desk: Desk) -> None:
    services.cancel_case(desk.case.id, by="test", now=NOW)

    with captured() as statements:
        handle_claim(claim(desk), desk.tools)

    assert len(statements) == 5, statements
    assert statements[0] == statements[-1] == "UPDATE cases_caseevent"
    assert desk.event("CASE_CREATED").summary == "The case had already ended as FAILED."


def test_a_message_that_finds_nothing_to_do_costs_two_statements(desk: Desk) -> None:
    services.cancel_case(desk.case.id, by="test", now=NOW)
    desk.work()

    with captured() as statements:
        assert work_on_case(desk.case.id, "test", desk.tools) == 0

    assert statements == ["UPDATE cases_caseevent", "UPDATE cases_caseevent"]


def test_an_outreach_from_claim_to_the_next_look_costs_39_statements(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<out@offload.example>"))

    with captured() as statements:
        desk.work()

    assert len(statements) == 39, statements
    assert desk.read().status == "RUNNING"


def test_a_reply_that_completes_its_case_costs_27_statements(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("We are Northstar LLC.")
    desk.agent.will(GoalAchieved(kind="GOAL_ACHIEVED", result={"legalName": "Northstar LLC"}))
    desk.provider.play(EMPTY_THREAD)

    with captured() as statements:
        desk.work()

    assert len(statements) == 27, statements
    assert desk.read().status == "COMPLETED"
