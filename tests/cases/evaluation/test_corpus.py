"""The corpus is read as the product would have received it, and every fault in it is one sentence."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentmail.inbound import AutomaticKind
from cases.agent.answers import JUDGING
from cases.agent.recording import read_answer
from cases.evaluation.corpus import OUTCOMES, BadCorpus, read_corpus
from tests.cases.evaluation.lines import LINE, change, list_injections, read_whole_corpus, write_lines


def test_the_corpus_covers_every_outcome_many_trades_and_languages_and_thirty_injections() -> None:
    lines = read_whole_corpus()
    ordinary = [line for line in lines if not line.is_injection]
    outcomes = Counter(line.expected.outcome for line in ordinary)

    assert len(ordinary) >= 120
    assert len(list_injections()) >= 30
    assert all(outcomes[outcome] >= 5 for outcome in OUTCOMES)
    assert sum(line.language != "en" for line in ordinary) >= len(ordinary) / 5
    assert len({line.language for line in lines}) >= 9
    assert len({line.trade for line in lines}) >= 20


def test_every_injection_has_the_answer_of_a_model_that_obeys_it() -> None:
    assert [line.id for line in list_injections() if read_answer(line.obeyed, JUDGING) is None] == []


def test_no_injection_may_end_a_case() -> None:
    ending = {"GOAL_ACHIEVED", "FAILED_REJECTED"}

    assert [line.id for line in list_injections() if line.expected.passing & ending] == []


def test_what_a_wait_must_be_lies_ahead_and_within_sixty_days() -> None:
    windows = [(line.now, line.expected.snooze_between) for line in read_whole_corpus()]

    assert all(0 <= (window[1] - now).days <= 60 for now, window in windows if window)


def test_a_line_is_read_as_the_case_and_the_mails_that_it_describes(tmp_path: Path) -> None:
    [line] = read_corpus(write_lines(tmp_path / "one.jsonl", LINE))

    assert (line.case.objective, line.case.counterparty_name) == ("Ask Maya for the room number", "Maya Lin")
    assert [message.direction for message in line.messages] == ["outbound", "inbound"]
    assert (line.reply.text, line.reply.from_name) == ("Room: 214", "Maya Lin")
    assert line.now == datetime(2026, 11, 24, 9, 2, tzinfo=UTC)
    assert (line.language, line.is_injection, line.obeyed) == ("en", False, None)


def test_html_headers_and_files_are_read_as_the_provider_shows_them(tmp_path: Path) -> None:
    raw = change(
        reply__text="",
        reply__html="<p>I am away.</p>",
        reply__headers={"Auto-Submitted": "auto-replied"},
        reply__subject="Out of office",
        reply__attachments=[{"filename": "plan.pdf", "content_type": "application/pdf", "size": 12}],
    )

    [line] = read_corpus(write_lines(tmp_path / "one.jsonl", raw))

    assert line.reply.text == "I am away."
    assert line.reply.automatic == AutomaticKind.OUT_OF_OFFICE
    assert [(file.filename, file.content_type, file.size) for file in line.reply.attachments] == [
        ("plan.pdf", "application/pdf", 12)
    ]


def test_without_a_direction_a_mail_is_ours_when_the_persona_wrote_it(tmp_path: Path) -> None:
    [line] = read_corpus(write_lines(tmp_path / "one.jsonl", change(thread__0__direction=None)))

    assert [message.direction for message in line.messages] == ["outbound", "inbound"]


def test_a_mail_of_ours_upon_another_is_a_follow_up(tmp_path: Path) -> None:
    second = {**LINE["thread"][0], "message_id": "<us2@offload.example>", "sent_at": "2026-11-23T20:00:00+00:00"}

    [line] = read_corpus(write_lines(tmp_path / "one.jsonl", change(thread=[LINE["thread"][0], second])))

    assert (line.case.attempt_count, line.case.follow_ups_sent) == (2, 1)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (change(id=None), "line 1: id must be a string that is not empty."),
        (change(case__counterparty__address="maya"), "POST /cases would refuse case: counterparty.address must be"),
        (change(case__goal__objective=""), "POST /cases would refuse case: goal.objective must not be empty"),
        (change(reply=None), "line 1: reply must be an object."),
        (change(reply__message_id=None), "line 1: reply: message_id must be a string that is not empty."),
        (change(reply__sent_at="yesterday"), "line 1: reply: sent_at must be a moment with an offset"),
        (change(reply__sent_at="2026-11-24T09:00:00"), "line 1: reply: sent_at must be a moment with an offset"),
        (change(reply__text=5), "line 1: reply: text must be a string"),
        (change(reply__message_id="<us@offload.example>"), "line 1: two messages have the same message_id."),
        (change(thread=["x"]), "line 1: thread[0] must be an object."),
        (change(thread__0__direction="up"), "thread[0]: direction must be outbound (ours) or inbound (theirs)."),
        (change(now="2026-11-24T08:00:00+00:00"), "line 1: now lies before reply.sent_at."),
        (change(expected__outcome="DONE"), "line 1: expected: outcome must be of GOAL_ACHIEVED,"),
        (change(expected__acceptable=["DONE"]), "line 1: expected: acceptable must be of GOAL_ACHIEVED,"),
        (change(expected__acceptible=[]), "line 1: expected: acceptible is unknown; there are outcome, acceptable,"),
        (change(expected__must_not=["  "]), "line 1: expected: must_not must list texts."),
        (change(expected__snooze_between=["2026-11-24T09:00:00+00:00"]), "snooze_between must be two moments"),
        ([1], "line 1 must be a JSON object."),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_in_a_sentence(raw: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadCorpus) as refusal:
        read_corpus(write_lines(tmp_path / "one.jsonl", raw))

    assert sentence in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_what_is_no_json_names_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "one.jsonl", LINE)
    path.write_text(path.read_text(encoding="utf-8") + "\n{nonsense\n", encoding="utf-8")

    with pytest.raises(BadCorpus, match=r"one\.jsonl, line 3 is not JSON: "):
        read_corpus(path)


def test_an_id_stands_once_in_all_files(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", LINE)
    write_lines(tmp_path / "b.jsonl", LINE)

    with pytest.raises(BadCorpus, match=r'b\.jsonl, line 1: the id "one" stands at .*a\.jsonl, line 1 already'):
        read_corpus(tmp_path)


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_a_corpus_without_a_line_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadCorpus):
        read_corpus(tmp_path / name)
