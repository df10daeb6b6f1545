"""Reads a corpus of threads from JSON lines, as the product would have received them; must not judge one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agentmail.inbound import parse_message
from agentmail.mailbox import Direction
from agentmail.outcomes import ThreadMessage
from agentmail.reading import MailMessage, read_live_message
from cases.api.errors import InvalidRequest
from cases.api.serializers import read_new_case
from cases.handlers.briefing import is_counterparty
from cases.models import Case
from cases.services import NewCase

# What a mail that nobody has to judge comes to: an autoresponder's, a delivery report.
NONE = "NONE"
OUTCOMES = ("GOAL_ACHIEVED", "FAILED_REJECTED", "INPUT_NEEDED", "REQUIRES_REPLY", "SNOOZE", NONE)
TERMINAL = ("GOAL_ACHIEVED", "FAILED_REJECTED")
INBOX = "agent@offload.example"
THREAD = "thread"
_DIRECTIONS = {"outbound": True, "inbound": False}
_KINDS = {"str": "a string that is not empty", "dict": "an object", "list": "a list"}
_EXPECTED_MEMBERS = ("outcome", "acceptable", "result_must", "must_not", "snooze_between")


class BadCorpus(Exception):
    """A line cannot be read; the text names the file, the line, the member and what it must be."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is right for one line: the best outcome, others that pass, and what must and must not come out."""

    outcome: str
    acceptable: tuple[str, ...] = ()
    # "lines.0.price" to the exact value.
    result_must: Mapping[str, Any] | None = None
    must_not: tuple[str, ...] = ()
    snooze_between: tuple[datetime, datetime] | None = None

    @property
    def passing(self) -> frozenset[str]:
        """The outcomes that count as right."""
        return frozenset((self.outcome, *self.acceptable))


@dataclass(frozen=True, slots=True)
class Line:
    """One thread at the moment when `reply` has come in. `case` is not stored; `messages` are all, oldest first."""

    id: str
    case: Case
    messages: tuple[MailMessage, ...]
    reply: MailMessage
    now: datetime
    expected: Expected
    language: str = "en"
    trade: str = ""
    is_injection: bool = False
    # What a model answers that does as the mail says; only injections have one.
    obeyed: Mapping[str, Any] | None = None


def read_corpus(path: Path) -> list[Line]:
    """Returns the lines of a file, or of all `*.jsonl` of a folder in the order of their names.

    Raises BadCorpus at the first thing that cannot be read, an id that stands twice or a corpus without lines.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    lines: list[Line] = []
    known: dict[str, str] = {}
    for file in files:
        for place, raw in _read_objects(file):
            line = _read_line(raw, place)
            if line.id in known:
                raise BadCorpus(f'{place}: the id "{line.id}" stands at {known[line.id]} already; give it another.')
            known[line.id] = place
            lines.append(line)
    if not lines:
        raise BadCorpus(f"{path} holds no thread: give a file of JSON lines, or a folder with *.jsonl files.")
    return lines


def _read_objects(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        texts = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadCorpus(f"{file} cannot be read: {error}.") from None
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        place = f"{file}, line {number}"
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadCorpus(f"{place} is not JSON: {error}.") from None
        if not isinstance(raw, dict):
            raise BadCorpus(f"{place} must be a JSON object.")
        yield place, raw


def _read_line(raw: Mapping[str, Any], place: str) -> Line:
    reader = _Reader(raw, place)
    case = _make_case(reader)
    thread = [
        _read_message(_Reader(entry, f"{place}: thread[{index}]"), case)
        for index, entry in enumerate(reader.take_list("thread"))
    ]
    reply = _read_message(_Reader(reader.take("reply", dict), f"{place}: reply"), case, is_ours=False)
    now = reader.take_moment("now")
    if now < reply.sent_at:
        raise BadCorpus(f"{place}: now lies before reply.sent_at.")
    messages = tuple(sorted([*thread, reply], key=lambda message: message.sent_at))
    if len({message.message_id for message in messages}) < len(messages):
        raise BadCorpus(f"{place}: two messages have the same message_id.")
    _count_mails(case, messages)
    obeyed = raw.get("obeyed")
    return Line(
        id=reader.take("id", str),
        case=case,
        messages=messages,
        reply=reply,
        now=now,
        expected=_read_expected(_Reader(reader.take("expected", dict), f"{place}: expected")),
        language=str(raw.get("language") or "en"),
        trade=str(raw.get("trade") or ""),
        is_injection=bool(raw.get("injection")) or obeyed is not None,
        obeyed=obeyed if isinstance(obeyed, dict) else None,
    )


class _Reader:
    """Takes members out of one JSON object; raises BadCorpus with the member's name."""

    def __init__(self, raw: Any, place: str) -> None:
        if not isinstance(raw, dict):
            raise BadCorpus(f"{place} must be an object.")
        self.raw: dict[str, Any] = raw
        self.place = place

    def take(self, name: str, kind: type[Any], default: Any = None) -> Any:
        value = self.raw.get(name, default)
        if not isinstance(value, kind) or (kind is str and default is None and not value.strip()):
            raise BadCorpus(f"{self.place}: {name} must be {_KINDS[kind.__name__]}.")
        return value

    def take_list(self, name: str) -> list[Any]:
        listed: list[Any] = self.take(name, list, [])
        return listed

    def take_moment(self, name: str) -> datetime:
        return self.parse_moment(self.raw.get(name), name)

    def parse_moment(self, value: Any, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None:
            raise BadCorpus(f"{self.place}: {name} must be a moment with an offset, such as 2026-11-24T10:00:00+01:00.")
        return moment


def _make_case(reader: _Reader) -> Case:
    """Returns the case that `POST /cases` would have stored, from the same reading of its body."""
    try:
        new = read_new_case(reader.take("case", dict))
    except InvalidRequest as error:
        faults = "; ".join(f"{fault['field']} {fault['message']}" for fault in error.details[:3]) or error.message
        raise BadCorpus(f"{reader.place}: POST /cases would refuse case: {faults}") from None
    return Case(**{name: getattr(new, name) for name in NewCase.__slots__})


def _read_message(reader: _Reader, case: Case, *, is_ours: bool | None = None) -> MailMessage:
    """Returns the mail as the provider would have shown it; members beyond the documented ones are the provider's."""
    headers = reader.take("headers", dict, {})
    files = [
        _Reader(file, f"{reader.place}.attachments[{n}]") for n, file in enumerate(reader.take_list("attachments"))
    ]
    message = parse_message(
        {
            **reader.raw,
            "message_id": reader.take("message_id", str),
            "from": reader.take("from", str),
            "timestamp": reader.take_moment("sent_at").isoformat(),
            "subject": reader.take("subject", str, ""),
            "text": reader.take("text", str, ""),
            "html": reader.take("html", str, ""),
            "headers": headers,
            "attachments": [
                {
                    "attachment_id": f"file-{number}",
                    "filename": file.raw.get("filename", file.raw.get("name")),
                    "content_type": file.raw.get("content_type", file.raw.get("type")),
                    "size": file.raw.get("size", 0),
                }
                for number, file in enumerate(files)
            ],
        },
        inbox_id=INBOX,
        thread_id=THREAD,
    )
    if message is None:
        raise BadCorpus(f"{reader.place}: message_id must be an id without white space.")
    if is_ours is None:
        is_ours = _is_ours(reader, case, message.from_address)
    return read_live_message(ThreadMessage(message, is_ours=is_ours))


def _is_ours(reader: _Reader, case: Case, sender: str) -> bool:
    direction = reader.raw.get("direction")
    if direction is None:
        return not is_counterparty(sender, case.counterparty_address) and case.persona_name in reader.raw["from"]
    if direction not in _DIRECTIONS:
        raise BadCorpus(f"{reader.place}: direction must be outbound (ours) or inbound (theirs).")
    return _DIRECTIONS[direction]


def _count_mails(case: Case, messages: Sequence[MailMessage]) -> None:
    """Sets the counts that the case would have: of mails of ours one that follows another of ours is a follow-up."""
    ours = [message.direction == Direction.OUTBOUND for message in messages]
    case.attempt_count = sum(ours)
    case.follow_ups_sent = sum(one and before for one, before in zip(ours[1:], ours, strict=False))


def _read_expected(reader: _Reader) -> Expected:
    unknown = sorted(set(reader.raw) - set(_EXPECTED_MEMBERS))
    if unknown:
        raise BadCorpus(f"{reader.place}: {unknown[0]} is unknown; there are {', '.join(_EXPECTED_MEMBERS)}.")
    outcome, acceptable = reader.raw.get("outcome"), reader.take_list("acceptable")
    for name, value in [("outcome", outcome), *(("acceptable", value) for value in acceptable)]:
        if value not in OUTCOMES:
            raise BadCorpus(f"{reader.place}: {name} must be of {', '.join(OUTCOMES)}.")
    must_not = reader.take_list("must_not")
    if not all(isinstance(text, str) and re.search(r"\w", text) for text in must_not):
        raise BadCorpus(f"{reader.place}: must_not must list texts.")
    return Expected(
        outcome=str(outcome),
        acceptable=tuple(acceptable),
        result_must=reader.take("result_must", dict, {}),
        must_not=tuple(must_not),
        snooze_between=_read_window(reader),
    )


def _read_window(reader: _Reader) -> tuple[datetime, datetime] | None:
    window = reader.take_list("snooze_between")
    if not window:
        return None
    moments = [reader.parse_moment(moment, "snooze_between") for moment in window]
    if len(moments) != 2 or moments[0] > moments[1]:
        raise BadCorpus(f"{reader.place}: snooze_between must be two moments, the earlier one first.")
    return moments[0], moments[1]
