"""PURE: whether every value of a result stands where the decision says it was read; must not repair a result.

A result that satisfies its schema can still be false, and an instruction in a mail can ask for a false one. So a value
ends a case only if a person's mail, a file's name or a human's answer holds it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from cases.agent.comparing import Folded, find_amounts, fold_letters, fold_text, split_words
from cases.agent.decisions import Evidence
from cases.agent.offline.dates import find_dates, find_zone
from cases.agent.offline.letters import is_derived
from cases.agent.offline.reading import Reply, fold
from cases.agent.offline.signals import wants_file
from cases.agent.protocol import CaseView, HumanAnswer
from cases.agent.text import find_own_words
from cases.agent.wanted import WantedField

# Before the number of a human answer, where evidence would name a message.
HUMAN = "human:"
# Up to here people write numbers as words, in any language: the quoted passage has to do.
LARGEST_WORDED_NUMBER = 12
# Of the words of a text value that its source must hold, when the value does not stand there as it is.
LEAST_SHARED_WORDS = 0.6
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?")
_STEP = re.compile(r"[^.\[\]]+")
# Where we wait for somebody, "today" runs into tomorrow; as a value it is the day itself.
_TODAY = re.compile(r"today|tonight|this (afternoon|evening)|heute|aujourd'hui|hoy|oggi|vandaag")
_YES = re.compile(
    r"\W*(yes|yep|ok|okay|right|correct|ja|genau|oui|d'accord|si|sim|de acuerdo"
    r"|(please )?(accept|go ahead|(accept|take|use) (it|that|this|them)))\b"
)
_DENIAL = re.compile(
    r"\b(no|nope|not|never|none|neither|wrong|incorrect|untrue|fake|forged|\w+n't|nein|nicht|kein\w*|falsch|non|pas|faux"
    r"|niet|geen|onjuist|falso|incorrecto|sbagliato)\b"
)


@dataclass(frozen=True)
class _Source:
    """One text that a value may come from; `written_on` is the day from which its "tomorrow" counts."""

    text: str
    written_on: date

    @cached_property
    def folded(self) -> Folded:
        return fold_text(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(split_words(self.text))

    @cached_property
    def amounts(self) -> frozenset[Decimal]:
        return find_amounts(self.text)

    @cached_property
    def days(self) -> frozenset[date]:
        text = fold(self.text)
        return frozenset(
            self.written_on if _TODAY.fullmatch(text[found.start : found.end]) else found.day
            for found in find_dates(text, self.written_on)
            if found.day is not None
        )


def check_evidence(
    result: Mapping[str, Any], evidence: Sequence[Evidence], view: CaseView, fields: Sequence[WantedField] = ()
) -> list[str]:
    """Return one sentence for each value that cannot be found where the evidence says, at most 20; [] when all can.

    Sources are the messages of the counterparty's people, by `message_id`: their own words, without what they quote,
    and their files' names; and human answers as `human:<n>`. Texts, numbers and dates must stand there; a boolean, a
    choice of the schema (`fields`) or a small number needs a passage that is quoted from there. What only a file can
    make true, such as "ndaReceived", needs a file. A required text is not empty, and a result that claims nothing at
    all needs a quoted passage too.
    """
    sources = _list_sources(view)
    choices = {field.name: (*field.choices, *field.item_choices) for field in fields}
    absent = _list_absent_files(view, fields)
    leaves = list(_list_leaves(result))
    if not leaves and not _is_any_quoted(evidence, sources):
        return ["the result holds nothing, and no words of theirs are quoted"]
    faults = [f"{field.name}: is empty" for field in fields if field.required and result.get(field.name) == ""]
    for path, value in leaves:
        name = path[0] if path else ""
        claims = [entry for entry in evidence if _covers(entry.field, path)]
        if value is True and name in absent and not any(entry.message_id.startswith(HUMAN) for entry in claims):
            faults.append(f"{'.'.join(path)}: no file has come")
            continue
        if not any(_is_proven(value, entry, sources, choices.get(name, ())) for entry in claims):
            faults.append(f"{'.'.join(path)}: {_describe_fault(claims, sources)}")
    return faults[:20]


def _list_absent_files(view: CaseView, fields: Sequence[WantedField]) -> frozenset[str]:
    """Return the fields such as "ndaReceived" that only a file can make true, while none has come."""
    people = (message for message in view.thread if message.sender != "us" and not message.is_automatic)
    if any(Reply(message).documents for message in people):
        return frozenset()
    is_about_files = wants_file(view.objective)
    return frozenset(
        field.name
        for field in fields
        if is_derived(field) and (is_about_files or wants_file(f"{field.label} {field.description}"))
    )


def check_refusal(evidence: Sequence[Evidence], view: CaseView) -> list[str]:
    """Return [] when a passage that the evidence quotes really stands in its message or answer, else one sentence."""
    if _is_any_quoted(evidence, _list_sources(view)):
        return []
    return ["no words of theirs that say no are quoted from a message that a person on their side wrote"]


def _is_any_quoted(evidence: Sequence[Evidence], sources: Mapping[str, _Source]) -> bool:
    """Return whether one of the passages stands where it is said to stand."""
    pairs = ((sources.get(entry.message_id), fold_letters(entry.quote)) for entry in evidence)
    return any(source is not None and source.folded.holds(passage) for source, passage in pairs)


def _list_sources(view: CaseView) -> dict[str, _Source]:
    sources: dict[str, _Source] = {}
    heard_until = view.human_answers[-1].answered_at if view.human_answers else None
    zone = find_zone(view.timezone)
    for message in view.thread:
        # Its writer may choose a mail's id, and no mail is a human's answer.
        if message.message_id.startswith(HUMAN):
            continue
        # A stranger's word counts once a human of ours has spoken with it in view.
        is_known = heard_until is not None and message.sent_at <= heard_until
        if not message.is_automatic and (message.sender == "counterparty" or (message.sender == "other" and is_known)):
            names = "\n".join(attachment.name for attachment in message.attachments)
            # What is quoted, forwarded or a footer is nobody's word, even where a mail holds nothing else.
            day = message.sent_at.astimezone(zone).date()
            sources[message.message_id] = _Source(f"{find_own_words(message.text)}\n{names}", day)
    for number, answer in enumerate(view.human_answers, start=1):
        sources[f"{HUMAN}{number}"] = _Source(_read_answer(answer), answer.answered_at.astimezone(zone).date())
    return sources


def _read_answer(answer: HumanAnswer) -> str:
    """Return what a human stands for: "Is the total 2,450?" - "Yes" holds the figure, and "No, ask her" does not."""
    said = fold(answer.answer)
    is_denied = _DENIAL.search(said) is not None and not _YES.match(said)
    return answer.answer if is_denied else f"{answer.answer}\n{answer.question}"


def _list_leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the values that claim something: null, "" and empty lists do not."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _list_leaves(member, (*path, str(name)))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _list_leaves(member, (*path, str(index)))
    elif value is not None and value != "":
        yield path, value


def _covers(field: str, path: tuple[str, ...]) -> bool:
    """Whether evidence for `field`, such as "lines[0].price", "lines.0.price" or "lines", is about that value."""
    # The name of a property may itself hold a dot.
    if path and (field == path[0] or field == ".".join(path)):
        return True
    steps = tuple(_STEP.findall(field))
    return bool(steps) and path[: len(steps)] == steps


def _is_proven(value: Any, entry: Evidence, sources: Mapping[str, _Source], choices: Sequence[Any]) -> bool:
    source = sources.get(entry.message_id)
    if source is None:
        return False
    is_quoted = source.folded.holds(fold_letters(entry.quote))
    if isinstance(value, bool) or value in choices:
        return is_quoted
    if isinstance(value, int | float):
        if Decimal(str(value)).normalize() in source.amounts:
            return True
        return is_quoted and isinstance(value, int) and 0 <= value <= LARGEST_WORDED_NUMBER
    return _is_text_proven(str(value), source, is_quoted=is_quoted)


def _is_text_proven(text: str, source: _Source, *, is_quoted: bool) -> bool:
    if source.folded.holds(fold_letters(text)):
        return True
    if match := _ISO_DATE.fullmatch(text.strip()):
        return _read_day(match) in source.days
    words = [word for word in split_words(text) if word]
    if not words or not is_quoted:
        return False
    # Said in other words: no figure may be new, and most of the words must be theirs.
    if any(any(char.isdigit() for char in word) and word not in source.words for word in words):
        return False
    long_words = [word for word in words if len(word) >= 3]
    shared = sum(word in source.words for word in long_words)
    return bool(long_words) and shared >= LEAST_SHARED_WORDS * len(long_words)


def _read_day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _describe_fault(claims: Sequence[Evidence], sources: Mapping[str, _Source]) -> str:
    if not claims:
        return "no evidence names the message that this value comes from"
    if all(entry.message_id not in sources for entry in claims):
        return "the evidence names no message that a person on their side wrote"
    return "the value cannot be found in the message that the evidence names"
