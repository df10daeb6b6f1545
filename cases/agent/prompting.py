"""PURE: turns what an agent may know into a prompt; must not call anybody, and shows no address and no real message id.

Mail is fenced by a boundary that its writers cannot know. That lowers the odds of an injection and is no guarantee:
what may leave and what may end a case is decided by code (guard, evidence, schema).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cases.agent.guard import remove_invisible
from cases.agent.offline.dates import find_zone
from cases.agent.protocol import CaseView, ThreadMessage
from cases.agent.text import split_quoted

Operation = Literal["draft_outreach", "draft_follow_up", "evaluate"]

FOLDER = Path(__file__).parent / "prompts"
_FILES: dict[Operation, str] = {"draft_outreach": "outreach", "draft_follow_up": "follow_up", "evaluate": "evaluate"}
_VERSION = re.compile(r"version: (\d+)\n+")
MAX_MESSAGE_CHARS = 16_000
# The newest messages that fit are shown whole; a human sees the others in the admin.
MAX_THREAD_CHARS = 100_000
_SENDERS = {"us": "us", "counterparty": "the counterparty's side", "other": "somebody else"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. `aliases` leads from "m1" to the id of a message; no real id is shown."""

    operation: Operation
    instructions: str
    text: str
    version: str
    aliases: Mapping[str, str]

    @property
    def hash(self) -> str:
        """SHA-256 of all that the model reads, hexadecimal."""
        return hashlib.sha256(f"{self.instructions}\n{self.text}".encode("utf-8", "replace")).hexdigest()


def compose_prompt(operation: Operation, view: CaseView, boundary: str) -> Prompt:
    """Return the prompt of one call. `boundary` is random and fresh for each call, and is taken out of every mail."""
    common, common_version = _read("common")
    task, version = _read(_FILES[operation])
    aliases = {f"m{number}": message.message_id for number, message in enumerate(view.thread, start=1)}
    text = "\n\n".join([*_describe_case(operation, view), *_show_thread(view, boundary)])
    return Prompt(
        operation=operation,
        instructions=f"{common}\n\n{task}",
        text=text,
        version=f"{_FILES[operation]}-{version}.{common_version}",
        aliases=aliases,
    )


@cache
def _read(name: str) -> tuple[str, str]:
    """Return (text, version) of a prompt file."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    match = _VERSION.match(text)
    if match is None:
        raise ValueError(f"the prompt {name}.md does not begin with its version")
    return text[match.end() :].strip(), match[1]


def _describe_case(operation: Operation, view: CaseView) -> Iterator[str]:
    persona = view.persona
    yield f"# The case\n\nIt is {_tell_time(view.now, view)}."
    yield f"Objective: {view.objective}"
    them = [view.counterparty_name, view.counterparty_company, f"time zone {view.timezone}" if view.timezone else ""]
    yield f"The counterparty: {', '.join(filter(None, them))}."
    if view.custom_data:
        yield f"About the counterparty:\n{_as_json(dict(view.custom_data))}"
    you = [persona.name, persona.role, persona.company, f"tone: {persona.tone}" if persona.tone else ""]
    yield f"You write as: {', '.join(filter(None, you))}."
    if view.constraints:
        yield "Constraints:\n" + "\n".join(f"- {constraint}" for constraint in view.constraints)
    if view.knowledge is not None:
        yield f"Knowledge, which you may use in a mail:\n{_as_json(view.knowledge)}"
    if view.private_knowledge is not None:
        yield f"Private knowledge, for your judgement alone; it never leaves:\n{_as_json(view.private_knowledge)}"
    if view.result_schema is not None:
        yield f"Result schema (JSON Schema of the wanted result):\n{_as_json(dict(view.result_schema))}"
    for number, given in enumerate(view.human_answers, start=1):
        yield f"human:{number}: the company was asked: {given.question}\nIt answered: {given.answer}"
    if view.open_question:
        yield f"A human has not answered this question yet: {view.open_question}"
    yield from _describe_moment(operation, view)


def _describe_moment(operation: Operation, view: CaseView) -> Iterator[str]:
    sent, allowed = view.follow_ups_sent, view.max_attempts
    if operation == "draft_follow_up":
        number = sent + 1
        last = " This is the last one." if number >= allowed else ""
        yield f"You write reminder {number} of {allowed}.{last}"
    elif operation == "evaluate":
        yield f"Reminders sent: {sent} of {allowed}. Put off in a row: {view.snoozes_in_a_row} times."
        yield {
            "input": "Why now: a human has answered. Judge the conversation again with the answer.",
            "recheck": "Why now: the time that was waited for is over. If nothing came, ask them again.",
        }.get(view.reason, "Why now: a message came in.")


def _show_thread(view: CaseView, boundary: str) -> Iterator[str]:
    if not view.thread:
        return
    yield f"# The conversation, oldest first\n\nBoundary of this call: {boundary}"
    shown = list(_cut_to_size([_show(f"m{n}", m, view, boundary) for n, m in enumerate(view.thread, start=1)]))
    left_out = len(view.thread) - len(shown)
    if left_out:
        yield f"({left_out} older messages are left out.)"
    yield from shown


def _cut_to_size(messages: list[str]) -> list[str]:
    room = MAX_THREAD_CHARS
    kept = 0
    for message in reversed(messages):
        room -= len(message)
        if room < 0 and kept:
            break
        kept += 1
    return messages[len(messages) - kept :]


def _show(alias: str, message: ThreadMessage, view: CaseView, boundary: str) -> str:
    def clean(text: str) -> str:
        return remove_invisible(text.replace("\r\n", "\n")).replace(boundary, "")

    fresh, quoted = split_quoted(message.text)
    is_new = view.new_message_ids is not None and message.message_id in view.new_message_ids
    marks = [f"from {_SENDERS[message.sender]}", _tell_time(message.sent_at, view)]
    marks += ["new"] if is_new else []
    marks += [f"automatic ({message.automatic_kind})"] if message.is_automatic else []
    lines = [f"{boundary} {alias}: {', '.join(marks)}"]
    lines += [f"Name: {' '.join(clean(message.sender_name).split())}"]
    lines += [f"Subject: {' '.join(clean(message.subject).split())}"] if message.subject else []
    lines += [
        f"File: {' '.join(clean(file.name).split())} ({clean(file.content_type)}, {file.size} bytes)"
        for file in message.attachments
    ]
    lines += ["", clean(fresh)[:MAX_MESSAGE_CHARS].strip()]
    if quoted.strip():
        marked = "\n".join(f"| {line}" for line in clean(quoted)[:MAX_MESSAGE_CHARS].split("\n"))
        lines += ["", "Quoted from an earlier mail:", marked]
    return "\n".join([*lines, f"{boundary} end of {alias}"])


def _tell_time(moment: datetime, view: CaseView) -> str:
    zone = find_zone(view.timezone)
    return f"{moment.astimezone(zone):%A %d %B %Y, %H:%M (%z)}"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
