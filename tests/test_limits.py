"""docs/limits.md says what the code does: each row names where its number stands, and the two are compared."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "offload" / "settings.py").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]*\| `([\w.]+)` \|$", PAGE, re.MULTILINE)
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


def read_numbers(value: str) -> list[float]:
    """Returns the numbers of a cell: those before a semicolon, behind which another number may explain."""
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?<!,)", value.partition(";")[0])]


def find_in_code(place: str) -> Any:
    """Returns a setting's default, a module's constant, or the default of a class's field."""
    if "." not in place:
        found = re.search(rf'"{place}", (?:Decimal\()?([\d_]+)\)', SETTINGS)
        assert found, place
        return int(found[1])
    path, _, name = place.rpartition(".")
    try:
        return getattr(importlib.import_module(path), name)
    except ModuleNotFoundError:
        module, _, kind = path.rpartition(".")
        return inspect.signature(getattr(importlib.import_module(module), kind)).parameters[name].default


def express(found: Any, value: str) -> list[float]:
    """Returns what the code says: a duration in the unit of the page's cell, a schedule of tries as their number."""
    if isinstance(found, timedelta):
        return [found.total_seconds() / next(seconds for word, seconds in UNITS.items() if word in value)]
    if isinstance(found, (int, float)):
        return [float(found)]
    if "attempts" in value:
        return [float(len(found))]
    return [float(item) for item in _flatten(found)]


def _flatten(items: Iterable[Any]) -> Iterable[float]:
    for item in items:
        yield from item.get("OPTIONS", {}).values() if isinstance(item, dict) else [item]


@pytest.mark.parametrize(("limit", "value", "place"), ROWS, ids=[place for _, _, place in ROWS])
def test_a_number_of_the_page_is_the_code_s(limit: str, value: str, place: str) -> None:
    assert read_numbers(value) == express(find_in_code(place), value), limit


def test_every_row_of_the_page_says_where_its_number_stands() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| limit ")]

    assert len(ROWS) == len(rows) > 50
