"""Finds the wanted fields in what people wrote, each with the passage it came from; must not judge the mail."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cases.agent.decisions import Evidence, check_result
from cases.agent.guard import remove_invisible
from cases.agent.offline.coercion import NoValue, coerce
from cases.agent.offline.reading import Reply, fold, shorten, split_sentences
from cases.agent.protocol import HumanAnswer
from cases.agent.schema import ResultSchema
from cases.agent.wanted import WantedField, split_identifier

MAX_OBJECTS = 20
_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_KEEPS_EARLIER = re.compile(r"\b(same|as before|as above|unchanged|see (above|below)|above|wie (oben|zuvor))\b")


@dataclass(frozen=True, slots=True)
class Source:
    """One text that may hold values: a reply's own words, or a human's answer as `human:<n>`."""

    message_id: str
    text: str
    today: date


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it stands."""

    value: Any
    message_id: str
    quote: str


def cite(name: str, message_id: str, quote: str) -> Evidence:
    """Return the evidence for a field, cut to the bounds of a decision: a Message-ID is its sender's choice."""
    return Evidence(
        field=remove_invisible(name)[:200],
        message_id=remove_invisible(message_id)[:1_000] or "unknown",
        quote=shorten(remove_invisible(quote), 1_500),
    )


@dataclass
class Gathered:
    """What the sources hold so far; a newer source wins."""

    values: dict[str, Found] = field(default_factory=dict)
    # What a source gave beyond the named fields, in a JSON object that satisfied the whole schema.
    extra: dict[str, Found] = field(default_factory=dict)
    # What somebody wrote for a field that is no value, like "to be confirmed".
    unclear: dict[str, str] = field(default_factory=dict)
    has_whole: bool = False
    _disputed: set[tuple[str, str]] = field(default_factory=set)

    @property
    def result(self) -> dict[str, Any]:
        """The values alone, as a result."""
        return {name: found.value for name, found in {**self.extra, **self.values}.items()}

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Where each value of the result comes from."""
        return tuple(cite(name, found.message_id, found.quote) for name, found in {**self.extra, **self.values}.items())

    def take(self, name: str, found: Found) -> None:
        """Keep the value, in place of an older one. Two values in one message leave the field open."""
        earlier = self.values.get(name)
        if earlier is not None and earlier.message_id == found.message_id and earlier.value != found.value:
            self._disputed.add((name, found.message_id))
            self.has_whole = False
        if (name, found.message_id) in self._disputed:
            self.drop(name, f"{earlier.value if earlier else ''} and {found.value}")
            return
        self.values[name] = found
        self.unclear.pop(name, None)

    def drop(self, name: str, written: str) -> None:
        """Forget the value: the same person has since written something there that is none."""
        self.values.pop(name, None)
        self.unclear[name] = written


def list_sources(replies: Sequence[Reply], answers: Sequence[HumanAnswer], zone: ZoneInfo) -> list[Source]:
    """Return replies and human answers as sources, oldest first."""
    dated: list[tuple[datetime, str, str]] = [
        (reply.message.sent_at, reply.message.message_id, reply.words) for reply in replies
    ]
    dated += [
        (answer.answered_at, f"human:{number}", remove_invisible(answer.answer))
        for number, answer in enumerate(answers, start=1)
    ]
    dated.sort(key=lambda item: item[0])
    return [Source(message_id, text, moment.astimezone(zone).date()) for moment, message_id, text in dated]


def gather(
    sources: Sequence[Source], fields: Sequence[WantedField], schema: ResultSchema | None, zone: ZoneInfo
) -> Gathered:
    """Return the fields that the sources give, as JSON or as `field: value` lines."""
    gathered = Gathered()
    labels = _compile_labels(fields)
    for source in sources:
        rest = source.text
        for start, end, given in find_objects(source.text):
            quote = source.text[start:end]
            rest = rest.replace(quote, "\n")
            _take_object(gathered, given, Source(source.message_id, quote, source.today), fields, schema, zone)
        if labels is None:
            continue
        for wanted, written, quote in _find_lines(rest, labels, fields):
            _take_written(gathered, wanted, written, Source(source.message_id, quote, source.today), zone)
        for wanted, written, quote in _find_sentences(rest, fields):
            with suppress(NoValue):
                value = coerce(written, wanted, source.today, zone)
                gathered.take(wanted.name, Found(value, source.message_id, quote))
    return gathered


def find_objects(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield the JSON objects in a mail with their place, at most 20; curly quotes are read as straight ones.

    NaN, duplicate keys and integers beyond 64 bits are no JSON here.
    """
    straight = text.translate({0x201C: '"', 0x201D: '"', 0x201E: '"', 0x00A0: " "})
    decoder = json.JSONDecoder(
        object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant, parse_int=_parse_small_int
    )
    position = 0
    for _ in range(MAX_OBJECTS):
        start = straight.find("{", position)
        if start < 0:
            return
        try:
            given, end = decoder.raw_decode(straight, start)
            check_result(given)
        except (ValueError, RecursionError):
            position = start + 1
            continue
        position = end
        yield start, end, given


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("the same key twice")
    return dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _parse_small_int(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= 2**63:
        raise ValueError("beyond 64 bits")
    return int(digits)


def _take_object(
    gathered: Gathered,
    given: dict[str, Any],
    source: Source,
    fields: Sequence[WantedField],
    schema: ResultSchema | None,
    zone: ZoneInfo,
) -> None:
    named = {wanted.name for wanted in fields}
    if schema is not None and given and (not fields or named & set(given)) and not schema.check(given):
        gathered.has_whole = True
        gathered.extra = {}
        for name, value in given.items():
            found = Found(value, source.message_id, source.text)
            if name in named:
                gathered.take(name, found)
            else:
                gathered.extra[name] = found
        return
    keys = {_squeeze(key): key for key in given}
    for wanted in fields:
        key = wanted.name if wanted.name in given else next((keys[w] for w in _spell(wanted) if w in keys), None)
        value = given[key] if key is not None else None
        if isinstance(value, str):
            _take_written(gathered, wanted, value, source, zone)
        elif value is not None and _has_type(value, wanted.type):
            gathered.take(wanted.name, Found(value, source.message_id, source.text))


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind in ("boolean", "")
    return not kind or isinstance(value, _PLAIN_TYPES[kind])


def _take_written(gathered: Gathered, wanted: WantedField, written: str, source: Source, zone: ZoneInfo) -> None:
    try:
        value = coerce(written, wanted, source.today, zone)
    except NoValue:
        if not _KEEPS_EARLIER.search(fold(written)):
            gathered.drop(wanted.name, shorten(written, 200))
        return
    gathered.take(wanted.name, Found(value, source.message_id, source.text))


def _squeeze(label: str) -> str:
    return re.sub(r"[^\w]|_", "", fold(label))


def _spell(wanted: WantedField) -> list[str]:
    """Return the ways a person may write the field's name, squeezed, the longest first."""
    title = re.sub(r"\([^)]*\)", "", wanted.title)
    words = {_squeeze(wanted.name), _squeeze(wanted.title), _squeeze(title)} - {""}
    return sorted(words, key=len, reverse=True)


def _compile_labels(fields: Sequence[WantedField]) -> re.Pattern[str] | None:
    """Return the pattern of "label:", wherever a label may start in a line."""
    spellings: set[str] = set()
    for wanted in fields:
        for label in (wanted.name, wanted.title, re.sub(r"\([^)]*\)", "", wanted.title)):
            words = split_identifier(label)
            if words:
                spellings.add(r"[\s_\-./]*".join(re.escape(word) for word in words))
                spellings.add(r"[\s_\-./]*".join(re.escape(fold(word)) for word in words))
    if not spellings:
        return None
    names = "|".join(sorted(spellings, key=len, reverse=True))
    article = r"(?:(?:and|our|the|my|und|et|y|e|en)\s+){0,2}"
    return re.compile(
        rf"(?:^[\W\d_]*|[,;|:.!?]\s+|\sand\s+){article}(?P<label>{names})[\"'*_]{{0,3}}\s*(?:\([^)\n]{{0,200}}\))?[\"'*_]{{0,3}}"
        r"(?:\s*[:=]|\s+[-\u2013\u2014]\s|\t+)[*_]{0,2}\s*",
        re.IGNORECASE,
    )


def _find_lines(
    text: str, labels: re.Pattern[str], fields: Sequence[WantedField]
) -> Iterator[tuple[WantedField, str, str]]:
    """Yield (field, what is written for it, the line) for each label in the text, in order."""
    by_label = {spelling: wanted for wanted in reversed(fields) for spelling in _spell(wanted)}
    lines = text.split("\n")
    for index, line in enumerate(lines):
        matches = list(labels.finditer(line))
        for number, match in enumerate(matches):
            wanted = by_label.get(_squeeze(match["label"]))
            if wanted is None:
                continue
            is_last = number == len(matches) - 1
            written = line[match.end() : len(line) if is_last else matches[number + 1].start()].strip(" ,;|*")
            # "EIN: 12-3456789. Do you need anything else?" is a value and a sentence.
            written = next(iter(split_sentences(written)), written)
            quote = line.strip()
            if is_last:
                following = _following(lines[index + 1 : index + 5], labels, wanted, has_value=bool(written))
                written = ", ".join([written.rstrip(","), *following] if written else following)
                quote = "\n".join([quote, *following])
            if written:
                yield wanted, written, quote


def _following(lines: list[str], labels: re.Pattern[str], wanted: WantedField, *, has_value: bool) -> list[str]:
    """Return the lines below a label that still belong to it: all of an address, else one under an empty label."""
    is_address = any(word in ("address", "adresse", "anschrift", "direccion", "indirizzo") for word in _words(wanted))
    taken: list[str] = []
    for line in lines if is_address else lines[:1]:
        text = line.strip(" ,")
        if not text or labels.search(line) or len(text) > 80 or re.match(r"[-*\u2022]|.*[:?!]$", text):
            break
        if re.match(r"(thanks|thank you|best|kind|warm|regards|cheers|please|we|i|let)\b", fold(text)):
            break
        if has_value and not is_address:
            break
        taken.append(text)
    return taken


def _words(wanted: WantedField) -> list[str]:
    return [fold(word) for word in split_identifier(wanted.name) + split_identifier(wanted.title)]


def _find_sentences(text: str, fields: Sequence[WantedField]) -> Iterator[tuple[WantedField, str, str]]:
    """Yield "the delivery date is 3 March" for fields whose type tells a value from chatter."""
    for wanted in fields:
        is_telling = (
            wanted.choices or wanted.type in ("integer", "number") or wanted.format in ("date", "date-time", "email")
        )
        if not is_telling:
            continue
        names = "|".join(
            r"[\s_\-]*".join(re.escape(w) for w in split_identifier(n)) for n in (wanted.name, wanted.title) if n
        )
        pattern = re.compile(
            rf"(?:^|,\s*)(?:(?:our|the|my)\s+)?(?:{names})\s+(?:is|will be|ist|est)\s+(.+)$", re.IGNORECASE
        )
        for sentence in split_sentences(text):
            if not sentence.endswith("?") and (match := pattern.search(sentence)):
                yield wanted, match[1].rstrip(" .!"), sentence
