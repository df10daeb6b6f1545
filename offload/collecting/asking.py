"""How a part of /metrics asks the database: briefly, and for no more rows than it needs; must know no metric."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from prometheus_client.core import GaugeMetricFamily

# Beyond it a count becomes PostgreSQL's own estimate: to count a million takes a tenth of a second.
COUNTED = 10_000
STATEMENT_MS = 250


def ask(statement: str, values: Mapping[str, str | float] | None = None) -> list[tuple[Any, ...]]:
    """Returns the rows of one statement, which PostgreSQL ends after 250 ms. Raises django.db.Error.

    Write `now()` and not `clock_timestamp()`: an index serves no condition whose value may change from row to row.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def count(table: str, condition: str, values: Mapping[str, str | float] | None = None) -> float:
    """Returns how many rows meet the condition: exactly up to 10,000, beyond that as PostgreSQL estimates it.

    Table and condition are the caller's own text; an index has to serve the condition. Raises django.db.Error.
    """
    source = f"SELECT 1 FROM {table} WHERE {condition}"  # noqa: S608
    ((found,),) = ask(f"SELECT count(*) FROM ({source} LIMIT {COUNTED}) found", values)  # noqa: S608
    if found < COUNTED:
        return float(found)
    ((plan,),) = ask(f"EXPLAIN (FORMAT JSON) {source}", values)
    document = json.loads(plan) if isinstance(plan, str) else plan
    return float(max(COUNTED, document[0]["Plan"]["Plan Rows"]))


def gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    """Returns a gauge with one value."""
    return GaugeMetricFamily(name, told, value=value)


def gauges(name: str, told: str, label: str, values: Sequence[tuple[str, float]]) -> GaugeMetricFamily:
    """Returns a gauge with a value for each value of its label."""
    family = GaugeMetricFamily(name, told, labels=(label,))
    for key, value in values:
        family.add_metric([key], value)
    return family
