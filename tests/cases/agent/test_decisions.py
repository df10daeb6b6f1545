"""Decisions survive the database and refuse what it cannot hold."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from cases.agent.decisions import (
    Decision,
    Evidence,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    RequiresReply,
    Snooze,
    check_snooze,
    parse_decision,
)
from tests.cases.agent.builders import NOW

DECISIONS: list[Decision] = [
    GoalAchieved(
        kind="GOAL_ACHIEVED",
        result={"name": "Zoë", "parts": [1, 2.5, None, {"ok": True}]},
        evidence=(Evidence(field="name", message_id="<1@a>", quote="Name: Zoë"),),
        rationale="All there.",
        confidence=0.9,
    ),
    FailedRejected(kind="FAILED_REJECTED", reason="They said no.", confidence=0.8),
    InputNeeded(kind="INPUT_NEEDED", question="What is the PO number?"),
    RequiresReply(kind="REQUIRES_REPLY", body="Hello Maya,\n\nthank you."),
    Snooze(
        kind="SNOOZE",
        until=datetime(2026, 12, 3, 9, 0, tzinfo=timezone(timedelta(hours=1))),
        reason="Away.",
    ),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.kind)
def test_a_decision_read_back_from_json_is_the_same_decision(decision: Decision) -> None:
    stored = json.loads(json.dumps(decision.model_dump(mode="json")))

    assert parse_decision(stored) == decision


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"kind": "REPLY", "body": "x"},
        {"kind": "REQUIRES_REPLY", "body": ""},
        {"kind": "REQUIRES_REPLY", "body": "x" * 20_001},
        {"kind": "REQUIRES_REPLY", "body": "x", "to": "mallory@example.com"},
        {"kind": "SNOOZE", "until": "2026-12-03T09:00:00", "reason": "no zone"},
        {"kind": "GOAL_ACHIEVED", "result": [1]},
        {"kind": "GOAL_ACHIEVED", "result": {"a": float("nan")}},
        {"kind": "GOAL_ACHIEVED", "result": {"a": "\x00"}},
        {"kind": "GOAL_ACHIEVED", "result": {"\ud800": 1}},
        {"kind": "GOAL_ACHIEVED", "result": {"a": NOW}},
        {"kind": "GOAL_ACHIEVED", "result": {}, "confidence": 1.01},
        {"kind": "INPUT_NEEDED", "question": "\ud800"},
        {"kind": "FAILED_REJECTED"},
    ],
)
def test_what_is_no_decision_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_decision(stored)


def test_a_result_deeper_than_json_may_be_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}

    with pytest.raises(ValidationError, match="deeper than 32"):
        GoalAchieved(kind="GOAL_ACHIEVED", result=deep)


def test_a_fault_does_not_repeat_what_somebody_wrote() -> None:
    with pytest.raises(ValidationError) as caught:
        RequiresReply(kind="REQUIRES_REPLY", body="a secret\x00")

    assert "a secret" not in str(caught.value)


def test_a_decision_cannot_be_changed() -> None:
    decision = InputNeeded(kind="INPUT_NEEDED", question="Why?")

    with pytest.raises(ValidationError, match="frozen"):
        decision.question = "Who?"
    assert decision.question == "Why?"


@pytest.mark.parametrize(
    ("until", "fault"),
    [
        (NOW, "the moment to look again does not lie ahead"),
        (NOW - timedelta(seconds=1), "the moment to look again does not lie ahead"),
        (NOW + timedelta(seconds=1), ""),
        (NOW + timedelta(days=60), ""),
        (NOW + timedelta(days=60, seconds=1), "the moment to look again is more than 60 days away"),
        (datetime(9999, 1, 1, tzinfo=UTC), "the moment to look again is more than 60 days away"),
    ],
)
def test_a_snooze_lies_ahead_and_within_sixty_days(until: datetime, fault: str) -> None:
    assert check_snooze(until, NOW) == fault
