"""Reads the result that a person types for a case and holds it to the case's schema; must not store anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from cases.agent.schema import ResultSchema, compile_result_schema

LONGEST_RESULT = 100_000
DEEPEST_RESULT = 32


class BadResult(Exception):
    """The result cannot stand; `faults` are sentences, each naming the place it is about."""

    def __init__(self, *faults: str) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


def read_result(text: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the result that `text` spells as JSON, checked against the client's `schema` where it is a valid one.

    Raises BadResult. Without a schema, or with one that is guidance only, any JSON object will do.
    """
    if len(text) > LONGEST_RESULT:
        raise BadResult(f"result: has more than {LONGEST_RESULT:,} characters.")
    try:
        result = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadResult(
            f"result: is no JSON: {error.msg} in line {error.lineno}, character {error.colno}. "
            'Write for example {"approved": true, "date": "2026-12-01"}.'
        ) from None
    except (RecursionError, ValueError) as error:
        raise BadResult(f"result: cannot be read: {error}.") from None
    if not isinstance(result, dict):
        raise BadResult('result: must be a JSON object, written between { and }, such as {"approved": true}.')
    _refuse_unstorable(result)
    checked = compile_result_schema(schema)
    faults = checked.check(result) if isinstance(checked, ResultSchema) else []
    if faults:
        raise BadResult(*(f"result{f'.{fault.field}' if fault.field else ''}: {fault.message}." for fault in faults))
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _refuse_unstorable(result: dict[str, Any]) -> None:
    """PostgreSQL keeps no NUL, no half of a surrogate pair and no infinite number."""
    waiting: list[tuple[str, Any, int]] = [("result", result, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if depth > DEEPEST_RESULT:
            raise BadResult(f"{path}: lies more than {DEEPEST_RESULT} levels deep.")
        if isinstance(value, dict):
            waiting += [(path, key, depth) for key in value]
            waiting += [(f"{path}.{key}"[:200], member, depth + 1) for key, member in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{index}]", member, depth + 1) for index, member in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise BadResult(f"{path}: is beyond the numbers that can be stored.")
        elif isinstance(value, str) and any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value):
            raise BadResult(f"{path}: holds a character that cannot be stored.")
