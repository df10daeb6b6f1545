"""What a client asked for beside what came out, and where each value was read; must not judge a result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cases.admin.conversation import Source
from cases.admin.plain import reveal_text
from cases.agent.evidence import HUMAN
from cases.agent.wanted import WantedField, humanize, list_wanted_fields
from cases.models import AgentRun, Case

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "a group of values",
}
_FORMATS = {"date": "a date", "date-time": "a date and time", "email": "an e-mail address", "uri": "a web address"}
_SHOWN_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Proof:
    """The words that a value rests on, who wrote them, and where on the page they stand ("" where they do not)."""

    quote: str
    source: str
    link: str


@dataclass(frozen=True, slots=True)
class ResultField:
    """One property that the client asked for, or that came out unasked, with its value and the proofs of it."""

    label: str
    wanted: str
    description: str
    is_required: bool
    is_asked_for: bool
    is_missing: bool
    has_value: bool
    value: str
    proofs: tuple[Proof, ...]


def list_result_fields(case: Case, sources: Mapping[str, Source]) -> tuple[ResultField, ...]:
    """Returns the fields of the client's schema, then what the result holds beyond them; one query with a result."""
    wanted = list_wanted_fields(case.result_schema) if isinstance(case.result_schema, dict) else ()
    result = case.result if isinstance(case.result, dict) else {}
    proofs = _list_proofs(case, sources) if result else []
    asked = {field.name for field in wanted}
    unasked = [WantedField(name=name) for name in result if name not in asked]
    return tuple(
        _show_field(field, result, proofs, is_asked_for=field.name in asked, has_result=case.result is not None)
        for field in (*wanted, *unasked)
    )


def describe_wanted(field: WantedField) -> str:
    """Returns what kind of value a property takes, in words; "" where any will do."""
    if field.choices:
        return f"one of: {_list_choices(field.choices)}"
    if field.type == "array" and field.item_choices:
        return f"a list of: {_list_choices(field.item_choices)}"
    if field.type == "array" and field.item_type:
        return f"a list, each {_TYPES[field.item_type]}"
    if field.type == "object" and field.members:
        return f"a group of: {', '.join(field.members)}"
    return _FORMATS.get(field.format, _TYPES.get(field.type, ""))


def _list_choices(choices: tuple[Any, ...]) -> str:
    shown = [format_value(choice) for choice in choices[:_SHOWN_CHOICES]]
    return ", ".join(shown) + (f" and {len(choices) - _SHOWN_CHOICES} more" if len(choices) > _SHOWN_CHOICES else "")


def format_value(value: Any) -> str:
    """Returns a JSON value as people write it: words as they are, "yes" for true, a list of words on lines."""
    if isinstance(value, str):
        return reveal_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        return "\n".join(format_value(item) for item in value)
    return reveal_text(json.dumps(value, indent=2, ensure_ascii=False))


def _show_field(
    field: WantedField,
    result: Mapping[str, Any],
    proofs: list[tuple[str, Proof]],
    *,
    is_asked_for: bool,
    has_result: bool,
) -> ResultField:
    value = result.get(field.name)
    has_value = value is not None and value not in ("", [], {})
    return ResultField(
        label=reveal_text(field.label or humanize(field.name) or field.name),
        wanted=reveal_text(describe_wanted(field)),
        description=reveal_text(field.description),
        is_required=is_asked_for and field.required,
        is_asked_for=is_asked_for,
        is_missing=has_result and is_asked_for and field.required and not has_value,
        has_value=has_value,
        value=format_value(value) if has_value else "",
        proofs=tuple(proof for name, proof in proofs if _covers(name, field.name)),
    )


def _covers(claimed: str, name: str) -> bool:
    """Returns whether evidence for `claimed`, such as "lines[0].price", is about the property `name`."""
    return claimed == name or claimed.startswith((f"{name}.", f"{name}["))


def _list_proofs(case: Case, sources: Mapping[str, Source]) -> list[tuple[str, Proof]]:
    """Returns (field, proof) of the newest decision that the goal is achieved."""
    runs = AgentRun.objects.filter(case=case, decision__kind="GOAL_ACHIEVED").order_by("-id")
    decision = runs.values_list("decision", flat=True).first()
    entries = decision.get("evidence") if isinstance(decision, dict) else None
    proofs = (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
    return [(str(entry.get("field", "")), _show_proof(entry, sources)) for entry in proofs]


def _show_proof(entry: Mapping[str, Any], sources: Mapping[str, Source]) -> Proof:
    message_id = str(entry.get("message_id", ""))
    quote = reveal_text(str(entry.get("quote", "")))
    if message_id.startswith(HUMAN):
        return Proof(quote, f"answer {message_id.removeprefix(HUMAN)} of a colleague", "#answered")
    source = sources.get(message_id)
    return Proof(quote, source.name, source.link) if source else Proof(quote, "a mail that is not shown here", "")
