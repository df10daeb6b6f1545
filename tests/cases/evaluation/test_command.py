"""`manage.py evaluate`: what it prints, writes and exits with; a mistake of its user is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.cases.evaluation.lines import ACHIEVED, LINE, change, write_lines

AUTOMATIC = change(id="auto", reply__headers={"Auto-Submitted": "auto-generated"}, expected={"outcome": "NONE"})


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "corpus.jsonl", LINE, AUTOMATIC)


def evaluate(*options: Any) -> str:
    out = StringIO()
    call_command("evaluate", *map(str, options), stdout=out)
    return out.getvalue()


def run_process(*options: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as its user does."""
    return subprocess.run(
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "evaluate", *map(str, options)],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": "postgres://127.0.0.1:9/none"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_offline_agent_is_measured_without_a_database(corpus: Path) -> None:
    report = evaluate("--corpus", corpus, "--model", "offline")

    assert "2 threads, 0 injections, 0 not in English" in report
    assert "GOAL_ACHIEVED            1       1       1    100.0%" in report
    assert "all                      2       2       2    100.0%" in report
    assert "Wrong terminal decisions   0" in report
    assert "Injection failures         0 (0 injections; no recipient changed, by construction" in report


def test_the_report_can_be_had_as_json(corpus: Path, tmp_path: Path) -> None:
    evaluate("--corpus", corpus, "--model", "offline", "--json", tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report["threads"], report["asked"], report["accuracy"], report["leaks"]) == (2, 1, 1.0, {})
    assert report["outcomes"]["GOAL_ACHIEVED"] == {"threads": 1, "exact": 1, "right": 1}
    assert [(line["id"], line["outcome"], line["right"]) for line in report["lines"]] == [
        ("one", "GOAL_ACHIEVED", True),
        ("auto", "NONE", True),
    ]
    assert report["lines"][0]["decision"]["result"] == {"room": 214}


def test_a_recorded_prompt_can_be_answered_in_a_file(corpus: Path, tmp_path: Path) -> None:
    recorded = evaluate("--corpus", corpus, "--record", tmp_path / "prompts.jsonl")

    [prompt] = map(json.loads, (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines())
    assert "1 prompts written" in recorded
    assert "1 threads never reach a model" in recorded
    assert (prompt["id"], prompt["aliases"]["m2"]) == ("one", "<maya@northstar.example>")

    answers = write_lines(tmp_path / "answers.jsonl", {"id": prompt["id"], "answer": ACHIEVED, "tokens_in": 5})
    report = evaluate("--corpus", corpus, "--replay", answers)

    assert "all                      2       2       2    100.0%" in report
    assert "Tokens                     5 in, 0 out" in report


def test_answers_of_the_file_stand_in_for_re_asks(corpus: Path, tmp_path: Path) -> None:
    wrong = {**ACHIEVED, "result": {"room": "two"}}
    answers = write_lines(tmp_path / "answers.jsonl", {"id": "one", "answers": [wrong, ACHIEVED]})

    report = evaluate("--corpus", corpus, "--replay", answers)

    assert "GOAL_ACHIEVED            1       1       1    100.0%" in report
    assert "Faults sent back           1" in report


def test_missing_and_unknown_answers_are_reported(corpus: Path, tmp_path: Path) -> None:
    answers = write_lines(tmp_path / "answers.jsonl", {"id": "stray", "answer": ACHIEVED})

    report = evaluate("--corpus", corpus, "--replay", answers)

    assert "Answers to threads that the corpus does not hold: stray" in report
    assert "Threads without an answer in the file: one" in report
    assert "Not answered               1" in report


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--min-accuracy", "1"], "The accuracy is 50.0%, below --min-accuracy 1.0."),
        (["--max-wrong-terminal", "0"], "1 is above --max-wrong-terminal 0."),
        (["--max-injection-failures", "0"], "1 is above --max-injection-failures 0."),
    ],
)
def test_a_threshold_that_is_not_met_exits_with_1(options: list[str], sentence: str, tmp_path: Path) -> None:
    trap = change(expected={"outcome": "INPUT_NEEDED"}, injection=True)
    corpus = write_lines(tmp_path / "corpus.jsonl", trap, AUTOMATIC)

    with pytest.raises(CommandError) as refusal:
        evaluate("--corpus", corpus, "--model", "offline", *options)

    assert (str(refusal.value), refusal.value.returncode) == (sentence, 1)


def test_thresholds_that_are_met_or_not_given_exit_with_0(corpus: Path) -> None:
    evaluate("--corpus", corpus, "--model", "offline")
    evaluate("--corpus", corpus, "--model", "offline", "--min-accuracy", "1", "--max-wrong-terminal", "0")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (['{"id": "one"'], "line 1 is not JSON: "),
        (['{"answer": {}}'], "line 1 must be an object with an id"),
        (['{"id": "one"}'], "line 1 must hold an answer, or a list of answers"),
        (['{"id": "one", "answers": []}'], "line 1 must hold an answer, or a list of answers"),
        (['{"id": "one", "answer": {}}'] * 2, 'line 2: the id "one" stands twice'),
        (['{"id": "one", "answer": {}, "tokens_in": "x"}'], "line 1: tokens_in and tokens_out must be whole numbers"),
    ],
)
def test_answers_that_cannot_be_read_exit_with_2(lines: list[str], sentence: str, corpus: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text("\n".join(lines), encoding="utf-8")

    with pytest.raises(CommandError) as refusal:
        evaluate("--corpus", corpus, "--replay", answers)

    assert sentence in str(refusal.value)
    assert refusal.value.returncode == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--record", "/absent/x"], "The folder /absent does not exist."),
        (["--json", "/absent/x"], "The folder /absent does not exist."),
        (["--record", "x", "--model", "offline"], "--record and --replay ask no model: leave --model out."),
        (["--replay", "/absent/x"], "/absent/x cannot be read: "),
    ],
)
def test_options_that_do_not_go_exit_with_2(options: list[str], sentence: str, corpus: Path) -> None:
    with pytest.raises(CommandError) as refusal:
        evaluate("--corpus", corpus, *options)

    assert sentence in str(refusal.value)
    assert refusal.value.returncode == 2


@pytest.mark.parametrize(
    "options", [["--min-accuracy", "90"], ["--max-wrong-terminal", "-1"], ["--replay", "a", "--record", "b"]]
)
def test_a_wrong_option_is_refused_before_anything_runs(options: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^Error: argument"):
        evaluate(*options)


def test_a_user_s_mistakes_are_sentences_without_a_trace(tmp_path: Path) -> None:
    broken = write_lines(tmp_path / "broken.jsonl", change(now="soon"))

    run = run_process("--corpus", broken)

    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.strip() == (
        f"CommandError: {broken}, line 1: now must be a moment with an offset, such as 2026-11-24T10:00:00+01:00."
    )


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("openai-chat:small", "CommandError: openai-chat:small cannot be reached: "),
        ("nonsense", 'CommandError: OFFLOAD_MODEL is "nonsense"; write provider and model'),
    ],
)
def test_a_model_that_cannot_be_asked_stops_the_run_with_2(model: str, sentence: str, corpus: Path) -> None:
    # Port 9 refuses at once.
    given = {"OFFLOAD_MODEL_API_KEY": "none", "OFFLOAD_MODEL_BASE_URL": "http://127.0.0.1:9/v1"}

    run = run_process("--corpus", corpus, "--model", model, **given)

    assert (run.returncode, run.stdout) == (2, "")
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
