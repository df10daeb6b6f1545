"""`manage.py evaluate`: measures a model on a corpus of threads; must not touch a database or send a mail."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cases.agent.prompted import PromptedAgent
from cases.agent.protocol import Agent
from cases.agent.recording import Recorder, Replayer
from cases.evaluation.answers import NO_ANSWER, AnswerFile, BadAnswers, read_answers
from cases.evaluation.corpus import BadCorpus, Line, read_corpus
from cases.evaluation.playing import UNANSWERED, ModelUnreachable, Play, play
from cases.evaluation.reporting import build_json, write_report
from cases.evaluation.scoring import Score, Scorecard

WRONG_USE = 2
TOO_BAD = 1


def read_share(text: str) -> float:
    """Returns a share from 0 to 1; argparse turns the error into a sentence."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ArgumentTypeError(f'"{text}" must be a share from 0 to 1, such as 0.9')
    return share


def read_count(text: str) -> int:
    """Returns a whole number of 0 or more."""
    if not text.isdecimal():
        raise ArgumentTypeError(f'"{text}" must be a whole number, such as 0')
    return int(text)


class Command(BaseCommand):
    help = (
        "Plays a corpus of threads along the path of a reply in a worker and scores what comes out. "
        "Exits with 1 when a threshold that was given is not met, with 2 when it cannot run."
    )
    # A setting that only a running installation needs must not stop a measurement.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        corpus = Path(settings.BASE_DIR) / "tests" / "corpus"
        parser.add_argument("--model", help="provider:model, or offline (default: OFFLOAD_MODEL)")
        parser.add_argument(
            "--corpus", type=Path, default=corpus, help="JSON lines, or a folder (default: tests/corpus)"
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--record", type=Path, help="write every prompt with its schema here, and ask no model")
        mode.add_argument("--replay", type=Path, help="take the answers from this file instead of a model")
        parser.add_argument("--min-accuracy", type=read_share, metavar="0..1")
        parser.add_argument("--max-injection-failures", type=read_count, metavar="N")
        parser.add_argument("--max-wrong-terminal", type=read_count, metavar="N")
        parser.add_argument("--json", type=Path, help="write the report here as JSON, with the outcome of every thread")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["model"] and (options["record"] or options["replay"]):
            raise CommandError("--record and --replay ask no model: leave --model out.", returncode=WRONG_USE)
        for path in filter(None, (options["record"], options["json"])):
            if not path.parent.is_dir():
                raise CommandError(f"The folder {path.parent} does not exist.", returncode=WRONG_USE)
        try:
            lines = read_corpus(options["corpus"])
            if options["record"]:
                self._record(lines, options["record"])
                return
            self._measure(lines, options)
        except (BadCorpus, BadAnswers, ModelUnreachable) as error:
            raise CommandError(str(error), returncode=WRONG_USE) from None

    def _record(self, lines: list[Line], path: Path) -> None:
        entries: list[dict[str, Any]] = []
        for line in lines:
            play(line, PromptedAgent(Recorder(line.id, entries.append)))
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        _write(path, text)
        self.stdout.write(
            f"{len(entries)} prompts written to {path}. "
            f"{len(lines) - len(entries)} threads never reach a model: code decides them."
        )

    def _measure(self, lines: list[Line], options: dict[str, Any]) -> None:
        answers = read_answers(options["replay"]) if options["replay"] else None
        name = str(options["replay"] or options["model"] or settings.OFFLOAD_MODEL)
        plays = _play_answers(lines, answers) if answers is not None else _play_model(lines, name)
        card = Scorecard([Score(one) for one in plays])
        corpus = _name_file(options["corpus"])
        self.stdout.write(write_report(card, agent=name, corpus=corpus))
        if answers is not None:
            self._report_ids(lines, plays, answers)
        if options["json"]:
            report = build_json(card, agent=name, corpus=corpus)
            _write(options["json"], json.dumps(report, ensure_ascii=False, indent=2) + "\n")
        faults = _miss_thresholds(card, options)
        if faults:
            raise CommandError(" ".join(faults), returncode=TOO_BAD)

    def _report_ids(self, lines: list[Line], plays: list[Play], answers: AnswerFile) -> None:
        unknown = sorted(set(answers.entries) - {line.id for line in lines})
        missing = [one.line.id for one in plays if one.outcome == UNANSWERED]
        if unknown:
            self.stdout.write(f"Answers to threads that the corpus does not hold: {', '.join(unknown[:20])}")
        if missing:
            self.stdout.write(f"Threads without an answer in the file: {', '.join(missing[:20])}")


def _play_answers(lines: list[Line], answers: AnswerFile) -> list[Play]:
    plays = []
    for line in lines:
        given = answers.entries.get(line.id, NO_ANSWER)
        agent = PromptedAgent(Replayer(given.answers, given.usage))
        plays.append(play(line, agent, pause=lambda _seconds: None))
    return plays


def _play_model(lines: list[Line], name: str) -> list[Play]:
    """Plays every line. Raises ModelUnreachable when the first ones bring no answer at all."""
    agent = _build_agent(name)
    plays: list[Play] = []
    for line in lines:
        plays.append(play(line, agent))
        asked = [one for one in plays if one.was_asked]
        if len(asked) == 1 and asked[0].outcome == UNANSWERED:
            raise ModelUnreachable(f"{name} cannot be reached: {asked[0].note}")
    return plays


def _build_agent(name: str) -> Agent:
    settings.OFFLOAD_MODEL = name
    # It loads the model's libraries only for a model, and decides so when it is imported.
    build: Callable[[], Agent] = import_module("cases.mind").build_agent
    return build()


def _miss_thresholds(card: Scorecard, options: dict[str, Any]) -> list[str]:
    """Returns one sentence for each threshold that was given and is not met."""
    faults = []
    least = options["min_accuracy"]
    if least is not None and card.accuracy < least:
        faults.append(f"The accuracy is {card.accuracy:.1%}, below --min-accuracy {least}.")
    for option, name, found in (
        ("max_injection_failures", "--max-injection-failures", len(card.injection_failures)),
        ("max_wrong_terminal", "--max-wrong-terminal", len(card.wrong_terminal)),
    ):
        if options[option] is not None and found > options[option]:
            faults.append(f"{found} is above {name} {options[option]}.")
    return faults


def _name_file(path: Path) -> str:
    resolved, base = path.resolve(), Path(settings.BASE_DIR).resolve()
    return str(resolved.relative_to(base)) if resolved.is_relative_to(base) else str(path)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=WRONG_USE) from None
