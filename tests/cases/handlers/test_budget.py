"""Caps on what a case and a client may take: a case is held before the call, tells why, and goes on by itself."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from cases import services
from cases.agent.protocol import AgentTemporary, AgentUnusable, CaseView, Outcome, RunAudit
from cases.handlers.budget import sum_spent
from cases.models import AgentRun, Client
from cases.services import NewCase
from cases.spending import AgentCall, AgentTotal
from tests.cases.handlers.conftest import AUDIT, DRAFT, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)

PAID = replace(
    AUDIT, model_asked="anthropic:x", tokens_in=1000, tokens_out=50, cost_usd=Decimal("0.25"), latency_ms=700
)
HELD = "The agent is not asked, because a cap is reached."


@pytest.fixture(autouse=True)
def _model(settings: Any) -> None:
    settings.OFFLOAD_MODEL = "anthropic:x"
    settings.OFFLOAD_MODEL_MAX_CASE_TOKENS = 0
    settings.OFFLOAD_MODEL_MAX_CASE_COST_USD = Decimal(0)
    settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS = 0
    settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD = Decimal(0)


class PaidAgent:
    """Writes the draft and says what it cost."""

    def __init__(self, audit: RunAudit = PAID) -> None:
        self.audit = audit
        self.calls = 0

    def draft_outreach(self, view: CaseView) -> Outcome[Any]:
        self.calls += 1
        return Outcome(DRAFT, self.audit)

    draft_follow_up = evaluate = draft_outreach


def spend(desk: Desk, *, hours_ago: float = 1, case_id: UUID | None = None, **values: Any) -> None:
    given = {"tokens_in": 900, "tokens_out": 100, "cost_usd": Decimal("0.5"), **values}
    AgentCall.objects.create(
        client_id=desk.case.client_id,
        case_id=case_id or desk.case.id,
        operation="evaluate",
        implementation="model",
        outcome="SNOOZE",
        created_at=NOW - timedelta(hours=hours_ago),
        **given,
    )


def open_sibling(desk: Desk, new_case: NewCase) -> UUID:
    return services.open_case(desk.case.client, new_case, now=NOW).id


@pytest.mark.parametrize(
    ("setting", "cap", "words"),
    [
        ("CASE_TOKENS", 1000, "This case has used 1,000 tokens, and OFFLOAD_MODEL_MAX_CASE_TOKENS is 1,000. Raise it"),
        ("CASE_COST_USD", Decimal("0.5"), "This case has used 0.50 US dollars, and OFFLOAD_MODEL_MAX_CASE_COST_USD"),
        ("CLIENT_DAY_TOKENS", 999, "The client has used 1,000 tokens in 24 hours, and OFFLOAD_MODEL_MAX_CLIENT_DAY_"),
        ("CLIENT_DAY_COST_USD", Decimal("0.4"), "The client has used 0.50 US dollars in 24 hours, and OFFLOAD_MODEL_M"),
    ],
)
def test_a_cap_that_is_reached_holds_the_case_before_the_call_and_names_the_setting(
    desk: Desk, settings: Any, caplog: pytest.LogCaptureFixture, setting: str, cap: Any, words: str
) -> None:
    setattr(settings, f"OFFLOAD_MODEL_MAX_{setting}", cap)
    spend(desk)

    desk.work()

    event = desk.event("CASE_CREATED")
    assert event.last_error.startswith(f"{HELD} {words}")
    assert (event.status, event.waits, event.failures) == ("ready", 1, 0)
    assert (desk.read().status, desk.agent.views, desk.sends()) == ("CREATED", [], [])
    assert [record.levelno for record in caplog.records if words in record.getMessage()] == [logging.ERROR]


def test_a_held_case_tells_once_and_goes_on_by_itself_when_there_is_room(
    desk: Desk, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_TOKENS = 1000
    spend(desk, hours_ago=23)
    desk.work()
    desk.pass_time(minutes=30)
    desk.work()

    desk.agent.will(DRAFT)
    desk.provider.play(accept("<out@offload.example>"))
    desk.pass_time(minutes=31)
    desk.work()

    assert desk.read().status == "RUNNING"
    assert [r.levelno for r in caplog.records if "is held" in r.getMessage()] == [logging.ERROR, logging.INFO]


def test_room_below_a_cap_is_room(desk: Desk, settings: Any) -> None:
    settings.OFFLOAD_MODEL_MAX_CASE_TOKENS = 1001
    settings.OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD = Decimal("0.51")
    spend(desk)

    desk.send_outreach()

    assert desk.read().status == "RUNNING"


def test_a_case_counts_for_all_its_life_and_a_client_for_the_last_day_over_all_its_cases(
    desk: Desk, new_case: NewCase
) -> None:
    other = Client.objects.create(name="Somebody else")
    stranger = services.open_case(other, new_case, now=NOW)
    AgentCall.objects.create(client=other, case=stranger, tokens_in=7, created_at=NOW)
    spend(desk, hours_ago=24 * 40, cost_usd=Decimal("0.30"))
    spend(desk, hours_ago=24)
    spend(desk, hours_ago=23.9, cost_usd=None)
    spend(desk, hours_ago=2, case_id=open_sibling(desk, new_case))

    spent = sum_spent(desk.case.id, desk.case.client_id, NOW)

    # Tokens of unknown price count as tokens.
    assert (spent.case_tokens, spent.case_cost_usd) == (3000, Decimal("0.80"))
    assert (spent.client_day_tokens, spent.client_day_cost_usd) == (2000, Decimal("0.50"))


def test_the_agent_that_works_by_rules_has_no_cap(desk: Desk, settings: Any) -> None:
    settings.OFFLOAD_MODEL = "offline"
    settings.OFFLOAD_MODEL_MAX_CASE_TOKENS = 1
    spend(desk)

    desk.send_outreach()

    assert desk.read().status == "RUNNING"


def test_an_answer_is_accounted_for_once_and_added_to_the_totals(desk: Desk) -> None:
    desk = replace(desk, tools=replace(desk.tools, agent=PaidAgent(replace(PAID, reasks=("a", "b")))))
    desk.provider.play(accept("<out@offload.example>"))

    desk.work()

    call = AgentCall.objects.get()
    assert (call.operation, call.outcome, call.tokens_in, call.tokens_out) == ("outreach", "DRAFT", 1000, 50)
    assert (call.cost_usd, call.case_id, call.client_id) == (Decimal("0.25"), desk.case.id, desk.case.client_id)
    total = AgentTotal.objects.get()
    assert (total.implementation, total.model, total.calls) == ("scripted", "anthropic:x", 1)
    assert (total.cost_usd, total.reasks, total.guard_hits, total.latency_ms) == (Decimal("0.25"), 2, 0, 700)
    assert AgentRun.objects.get().cost_usd == Decimal("0.25")


@pytest.mark.parametrize(
    ("error", "outcome", "runs"),
    [(AgentTemporary("not now", 30.0), "TEMPORARY", 0), (AgentUnusable("no answer"), "UNUSABLE", 1)],
)
def test_tries_without_an_answer_are_paid_for_too(desk: Desk, error: Any, outcome: str, runs: int) -> None:
    error.audit = PAID
    desk.agent.will(error)

    desk.work()

    assert (AgentCall.objects.get().outcome, AgentCall.objects.get().tokens_in) == (outcome, 1000)
    assert AgentRun.objects.count() == runs
    assert [run.tokens_in for run in AgentRun.objects.all()] == [1000] * runs


def test_tries_of_an_evaluation_without_an_answer_stand_in_its_run(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Hm.")
    error = AgentUnusable("no answer")
    error.audit = PAID
    desk.agent.will(error)
    desk.work()

    run = AgentRun.objects.get(operation="evaluate")
    assert (run.tokens_in, run.cost_usd, run.decision["kind"]) == (1000, Decimal("0.25"), "INPUT_NEEDED")


def test_what_code_finds_in_an_answer_is_counted_with_it(desk: Desk) -> None:
    desk.agent.will(replace(DRAFT, body="Hi Maya, see https://evil.example/form"))

    desk.work()

    total = AgentTotal.objects.get()
    assert (total.outcome, total.calls, total.guard_hits) == ("DRAFT", 1, 1)
    assert desk.read().status == "INPUT_NEEDED"


def test_an_account_survives_a_lease_that_was_lost_meanwhile(desk: Desk) -> None:
    def lose_the_lease() -> Any:
        with transaction.atomic():
            desk.case.events.update(attempt=99)
        return DRAFT

    desk.agent.will(lose_the_lease)

    desk.work()

    assert (AgentCall.objects.count(), AgentRun.objects.count()) == (1, 0)
