"""Reads the answers of a model from a file of JSON lines, for a run without an endpoint; must not judge them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.agent.prompted import Usage
from cases.agent.recording import REPLAYED, read_usage


class BadAnswers(Exception):
    """The file cannot be read; the text names the line and what it must be."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the file holds for one thread: an answer for each try, and what they took."""

    answers: tuple[Any, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """All answers, by the id of their thread."""

    entries: dict[str, Given]


NO_ANSWER = Given((), REPLAYED)


def read_answers(path: Path) -> AnswerFile:
    """Returns the answers. Raises BadAnswers at the first line that is not `{id, answer}` or `{id, answers}`."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnswers(f"{path} cannot be read: {error}.") from None
    entries: dict[str, Given] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        place = f"{path}, line {number}"
        line_id, given = _read_entry(text, place)
        if line_id in entries:
            raise BadAnswers(f'{place}: the id "{line_id}" stands twice; give all its answers in one line.')
        entries[line_id] = given
    return AnswerFile(entries)


def _read_entry(text: str, place: str) -> tuple[str, Given]:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswers(f"{place} is not JSON: {error}.") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise BadAnswers(f'{place} must be an object with an id, such as {{"id": …, "answer": {{…}}}}.')
    answers = entry.get("answers", [entry["answer"]] if "answer" in entry else None)
    if not isinstance(answers, list) or not answers:
        raise BadAnswers(f"{place} must hold an answer, or a list of answers, one for each try.")
    try:
        usage = read_usage(entry)
    except (ValueError, TypeError):
        raise BadAnswers(f"{place}: tokens_in and tokens_out must be whole numbers, cost_usd a price.") from None
    return entry["id"], Given(tuple(answers), usage)
