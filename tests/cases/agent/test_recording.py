"""Prompts are written down whole, and answers from a file meet the checks that a model's answers meet."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from cases.agent.answers import JUDGING
from cases.agent.decisions import GoalAchieved, RequiresReply
from cases.agent.prompted import PromptedAgent, UnusableAnswer, Usage
from cases.agent.protocol import AgentTemporary, AgentUnusable
from cases.agent.provider.client import REASKS
from cases.agent.recording import TRIES, Recorder, Replayer, describe_forms, read_answer, read_usage
from tests.cases.agent.builders import W9_LINES, W9_RESULT, replied

VIEW = replied(W9_LINES)
ACHIEVED: dict[str, Any] = {
    "kind": "GOAL_ACHIEVED",
    "result": W9_RESULT,
    "evidence": [{"field": name, "message_id": "m2", "quote": W9_LINES} for name in W9_RESULT],
    "rationale": "",
    "confidence": 0.9,
}
LEAK = {"kind": "REQUIRES_REPLY", "body": "Project Falcon is secret", "rationale": "", "confidence": 0.9}


def test_a_prompt_is_written_with_its_schema_and_aliases_and_nobody_is_asked() -> None:
    written: list[dict[str, Any]] = []

    with pytest.raises(AgentUnusable):
        PromptedAgent(Recorder("case-7", written.append)).evaluate(VIEW)

    [entry] = written
    assert (entry["id"], entry["operation"]) == ("case-7", "evaluate")
    assert entry["aliases"] == {"m1": "<us-1@acme>", "m2": "<them-1@northstar>"}
    assert W9_LINES in entry["text"]
    assert "judge the conversation" in entry["instructions"]
    assert json.loads(json.dumps(entry)) == entry


def test_the_schema_takes_each_form_of_an_answer_and_no_other() -> None:
    schema = describe_forms(JUDGING)
    validator = jsonschema.Draft202012Validator(schema)

    assert schema["discriminator"]["propertyName"] == "kind"
    assert sorted(schema["discriminator"]["mapping"]) == [
        "FAILED_REJECTED",
        "GOAL_ACHIEVED",
        "INPUT_NEEDED",
        "REQUIRES_REPLY",
        "SNOOZE",
    ]
    assert validator.is_valid(ACHIEVED)
    assert not validator.is_valid({**ACHIEVED, "recipient": "x@example.com"})
    assert not validator.is_valid({"kind": "DONE"})


def test_an_answer_of_the_file_is_judged_with_the_real_ids() -> None:
    outcome = PromptedAgent(Replayer([ACHIEVED], Usage("a-model", 900, 80, Decimal("0.01")))).evaluate(VIEW)

    assert isinstance(outcome.value, GoalAchieved)
    assert {entry.message_id for entry in outcome.value.evidence} == {"<them-1@northstar>"}
    audit = outcome.audit
    assert (audit.model_asked, audit.tokens_in, audit.tokens_out, audit.cost_usd) == (
        "a-model",
        900,
        80,
        Decimal("0.01"),
    )


def test_the_text_of_an_answer_will_do_too() -> None:
    assert isinstance(PromptedAgent(Replayer([json.dumps(ACHIEVED)])).evaluate(VIEW).value, GoalAchieved)


def test_a_refused_answer_gives_way_to_the_next_one_and_is_noted() -> None:
    reply = {**LEAK, "body": "Hello Maya,\n\nthank you. The EIN, please.\n\nAlex Kim"}

    outcome = PromptedAgent(Replayer([{"kind": "NONSENSE"}, LEAK, reply])).evaluate(VIEW)

    assert isinstance(outcome.value, RequiresReply)
    assert outcome.audit.guard_hits == ("guard private: something of the private knowledge",)


@pytest.mark.parametrize("is_stubborn", [False, True])
def test_answers_that_never_pass_are_unusable(is_stubborn: bool) -> None:
    with pytest.raises(UnusableAnswer):
        PromptedAgent(Replayer([LEAK], is_stubborn=is_stubborn)).evaluate(VIEW)


def test_no_more_answers_are_read_than_a_model_is_asked_for() -> None:
    good = {**LEAK, "body": "Hello Maya, the EIN, please."}

    with pytest.raises(UnusableAnswer):
        PromptedAgent(Replayer([LEAK] * TRIES + [good])).evaluate(VIEW)
    assert TRIES == REASKS + 1


def test_without_an_answer_the_model_counts_as_silent() -> None:
    with pytest.raises(AgentTemporary, match="There is no answer to this thread"):
        PromptedAgent(Replayer([])).evaluate(VIEW)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        [],
        "",
        "{",
        "I think the goal is achieved.",
        {},
        {"kind": "GOAL_ACHIEVED"},
        {"kind": "SNOOZE", "until": "2026-12-01T09:00:00", "reason": "no offset"},
        {**ACHIEVED, "extra": 1},
    ],
)
def test_what_has_no_form_is_no_answer(raw: Any) -> None:
    assert read_answer(raw, JUDGING) is None


def test_what_a_line_says_about_its_cost_is_read() -> None:
    entry = {"model": "m", "tokens_in": 10, "tokens_out": 2, "cost_usd": 0.5}

    assert read_usage(entry) == Usage("m", 10, 2, Decimal("0.5"))
    assert read_usage({}) == Usage("replay")


@pytest.mark.parametrize("entry", [{"tokens_in": "many"}, {"cost_usd": "cheap"}, {"tokens_out": [1]}])
def test_a_cost_that_is_none_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_usage(entry)
