"""A thread takes the path of a reply in a worker: triage, view, agent, limits; and a busy model is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cases.agent.decisions import Decision, parse_decision
from cases.agent.protocol import (
    AgentMisconfigured,
    AgentOverBudget,
    AgentTemporary,
    AgentUnusable,
    CaseView,
    Draft,
    Outcome,
    RunAudit,
)
from cases.evaluation.corpus import Line, read_corpus
from cases.evaluation.playing import UNANSWERED, ModelUnreachable, play, view_line
from tests.cases.evaluation.lines import ACHIEVED, change, write_lines

AUDIT = RunAudit("scripted", "", "", "1", "", 0, 0, None, 0, (), (), ())


class Scripted:
    """Gives what a test scripts, one for each evaluation; the last for all that follow."""

    def __init__(self, *script: Decision | Exception) -> None:
        self._script = list(script)
        self.views: list[CaseView] = []

    def draft_outreach(self, view: CaseView) -> Outcome[Draft]:
        raise NotImplementedError

    draft_follow_up = draft_outreach

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        self.views.append(view)
        said = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(said, Exception):
            raise said
        return Outcome(said, AUDIT)


def read_one(tmp_path: Path, **changes: Any) -> Line:
    [line] = read_corpus(write_lines(tmp_path / "one.jsonl", change(**changes)))
    return line


def goal(message_id: str = "<maya@northstar.example>") -> Decision:
    evidence = [{**ACHIEVED["evidence"][0], "message_id": message_id}]
    return parse_decision({**ACHIEVED, "evidence": evidence})


def test_a_person_s_mail_is_judged_and_a_proven_verdict_stands(tmp_path: Path) -> None:
    played = play(read_one(tmp_path), Scripted(goal()))

    assert played.outcome == "GOAL_ACHIEVED"
    assert played.was_asked


def test_the_view_marks_the_reply_as_new_and_keeps_private_knowledge_apart(tmp_path: Path) -> None:
    view = view_line(read_one(tmp_path))

    assert view.new_message_ids == ("<maya@northstar.example>",)
    assert (view.knowledge, view.private_knowledge) == ({"floor": "2"}, {"code": 7311})
    assert [message.sender for message in view.thread] == ["us", "counterparty"]


def test_code_limits_what_the_agent_says(tmp_path: Path) -> None:
    played = play(read_one(tmp_path), Scripted(goal("<us@offload.example>")))

    assert played.outcome == "INPUT_NEEDED"
    assert played.answered is not None
    assert played.answered.kind == "GOAL_ACHIEVED"


def test_a_machine_s_mail_is_not_shown_to_the_agent(tmp_path: Path) -> None:
    agent = Scripted(goal())

    played = play(read_one(tmp_path, reply__headers={"Auto-Submitted": "auto-generated"}), agent)

    assert (played.outcome, played.was_asked, agent.views) == ("NONE", False, [])


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [
        ({"kind": "SNOOZE", "until": "2026-11-30T09:00:00+00:00", "reason": "Away."}, "SNOOZE"),
        ({"kind": "REQUIRES_REPLY", "body": "Hello?"}, "NONE"),
    ],
)
def test_a_note_of_absence_may_only_put_off(decision: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    line = read_one(tmp_path, reply__headers={"Auto-Submitted": "auto-replied"}, reply__subject="Out of office")

    assert play(line, Scripted(parse_decision(decision))).outcome == outcome


@pytest.mark.parametrize(
    "changes",
    [
        {"reply__from": "Eve <eve@elsewhere.example>"},
        {"reply__labels": ["unauthenticated"]},
    ],
)
def test_who_is_not_the_counterparty_ends_no_case(changes: dict[str, Any], tmp_path: Path) -> None:
    assert play(read_one(tmp_path, **changes), Scripted(goal())).outcome == "INPUT_NEEDED"


def test_an_unusable_answer_is_a_question_to_a_human(tmp_path: Path) -> None:
    assert play(read_one(tmp_path), Scripted(AgentUnusable("Nothing to use."))).outcome == "INPUT_NEEDED"


def test_a_busy_model_is_asked_again_after_the_time_that_it_names(tmp_path: Path) -> None:
    pauses: list[float] = []
    agent = Scripted(AgentTemporary("Busy.", 7), AgentTemporary("Busy.", 900), goal())

    played = play(read_one(tmp_path), agent, pause=pauses.append)

    assert (played.outcome, pauses) == ("GOAL_ACHIEVED", [7, 60])


def test_a_model_that_stays_busy_gives_no_answer(tmp_path: Path) -> None:
    agent = Scripted(AgentTemporary("Busy."))

    played = play(read_one(tmp_path), agent, pause=lambda _seconds: None)

    assert (played.outcome, played.note, len(agent.views)) == (UNANSWERED, "Busy.", 3)


def test_a_prompt_beyond_its_cap_gives_no_answer_and_stops_nothing(tmp_path: Path) -> None:
    assert play(read_one(tmp_path), Scripted(AgentOverBudget("Too long."))).outcome == UNANSWERED


def test_wrong_settings_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreachable, match="No key"):
        play(read_one(tmp_path), Scripted(AgentMisconfigured("No key.")))
