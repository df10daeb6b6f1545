"""Deliberate faults in the ledger, one text replacement each; must not touch the ledger that others import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from django.db import connection

from cases import ledger

SOURCE = Path(str(ledger.__file__)).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands in cases/ledger.py exactly once and becomes `new`; `sql` is run besides, and `undo` after it.

    is_quick: killed within the first examples, so that it belongs to every run.
    """

    name: str
    old: str = ""
    new: str = ""
    sql: str = ""
    undo: str = ""
    is_quick: bool = False

    def __str__(self) -> str:
        return self.name


MUTANTS = [
    Mutant(
        "finish and fail do not check whose lease it is",
        "WHERE id = %(event)s AND status = 'running' AND attempt = %(attempt)s RETURNING",
        "WHERE id = %(event)s AND status = 'running' RETURNING",
        is_quick=True,
    ),
    Mutant(
        "finish and fail do not check that the event is running",
        "WHERE id = %(event)s AND status = 'running' AND attempt = %(attempt)s RETURNING",
        "WHERE id = %(event)s AND attempt = %(attempt)s RETURNING",
        is_quick=True,
    ),
    Mutant(
        "a claim does not raise the attempt",
        "SET status = 'running', attempt = attempt + 1, lease_until",
        "SET status = 'running', lease_until",
        is_quick=True,
    ),
    Mutant(
        "the newest event is claimed first",
        "AND status IN ('ready', 'running') ORDER BY id LIMIT 1)\n                   AND status = 'ready'",
        "AND status IN ('ready', 'running') ORDER BY id DESC LIMIT 1)\n                   AND status = 'ready'",
        is_quick=True,
    ),
    Mutant(
        "a claim passes over a head that waits",
        "AND status IN ('ready', 'running') ORDER BY id LIMIT 1)\n                   AND status = 'ready'",
        "AND status = 'ready' AND run_after <= now() ORDER BY id LIMIT 1)\n                   AND status = 'ready'",
        is_quick=True,
    ),
    Mutant(
        "a claim does not wait for run_after",
        "AND status = 'ready' AND run_after <= now()\n                   AND NOT EXISTS",
        "AND status = 'ready'\n                   AND NOT EXISTS",
        is_quick=True,
    ),
    Mutant(
        "two events of a case may run",
        sql="DROP INDEX event_one_running_per_case",
        undo="CREATE UNIQUE INDEX event_one_running_per_case ON cases_caseevent (case_id) WHERE status = 'running'",
    ),
    Mutant("a busy case makes a claim fail", "except IntegrityError:", "except ZeroDivisionError:"),
    Mutant(
        "a lease that ran out is never taken back",
        "AND status = 'running' AND lease_until < now()\n        RETURNING",
        "AND false\n        RETURNING",
        is_quick=True,
    ),
    Mutant(
        "a lease that holds is taken back",
        "AND status = 'running' AND lease_until < now()\n        RETURNING",
        "AND status = 'running'\n        RETURNING",
        is_quick=True,
    ),
    Mutant(
        "a lease is taken back a moment early",
        "AND status = 'running' AND lease_until < now()\n        RETURNING",
        "AND status = 'running' AND lease_until <= now()\n        RETURNING",
    ),
    Mutant(
        "a crash is not counted",
        "SET failures = failures + 1, lease_until = NULL, leased_by = '',\n",
        "SET lease_until = NULL, leased_by = '',\n",
    ),
    Mutant(
        "a failure is not counted",
        "failures = failures + 1, lease_until = NULL, leased_by = '', nudged_at",
        "lease_until = NULL, leased_by = '', nudged_at",
        is_quick=True,
    ),
    Mutant(
        "an event dies one failure late",
        "f\"\"\"status = CASE WHEN failures + 1 >= %(limit)s THEN 'dead' ELSE 'ready' END,\n"
        "            finished_at = CASE WHEN failures + 1 >= %(limit)s",
        "f\"\"\"status = CASE WHEN failures >= %(limit)s THEN 'dead' ELSE 'ready' END,\n"
        "            finished_at = CASE WHEN failures >= %(limit)s",
    ),
    Mutant(
        "an event that kills its workers never dies",
        "status = CASE WHEN failures + 1 >= %(limit)s THEN 'dead' ELSE 'ready' END,\n"
        "               finished_at = CASE WHEN failures + 1 >= %(limit)s THEN now() END,",
        "status = 'ready',",
    ),
    Mutant(
        "waiting counts as a failure",
        "waits = waits + 1,",
        "waits = waits + 1, failures = failures + 1,",
        is_quick=True,
    ),
    Mutant("a failed event is due again at once", 'now() + {_backoff("failures")}', "now()"),
    Mutant("a named wait is not kept", "coalesce(%(named)s * interval '1 second', {", "coalesce(NULL::interval, {"),
    Mutant(
        "what was recorded meanwhile waits behind a postponed head",
        "THEN interval '1 second'\n                    ELSE",
        "THEN interval '1 hour'\n                    ELSE",
    ),
    Mutant(
        "recording does not wake the head",
        "if not born_done:\n            _wake_head",
        "if False:\n            _wake_head",
    ),
    Mutant(
        "the second payload of a key wins",
        "ON CONFLICT (key) DO NOTHING RETURNING id",
        "ON CONFLICT (key) DO UPDATE SET payload = excluded.payload RETURNING id",
        is_quick=True,
    ),
    Mutant(
        "the sweep does not see leases that ran out",
        "run_after <= now()) OR (status = 'running' AND lease_until < now()))",
        "run_after <= now()))",
    ),
    Mutant(
        "the sweep does not wait for run_after",
        "WHERE ((status = 'ready' AND run_after <= now()) OR",
        "WHERE ((status = 'ready') OR",
    ),
    Mutant(
        "the sweep does not note what it has nudged",
        "SET nudged_at = now(), nudges = nudges + 1",
        "SET nudges = nudges + 1",
        is_quick=True,
    ),
    Mutant("nudges do not grow rarer", "10 * 2 ^ least(nudges, 6)", "10"),
    Mutant(
        "a nudge is never repeated",
        "- least(%s, 10 * 2 ^ least(nudges, 6))",
        "- least(1e9, 1e9 + %s, 1e9 + 10 * 2 ^ least(nudges, 6))",
    ),
    Mutant(
        "the sweep nudges for events behind the head",
        "WHERE before.case_id = e.case_id AND before.id < e.id",
        "WHERE before.case_id = e.case_id AND before.id < e.id AND false",
    ),
    Mutant(
        "a failed event keeps its old nudges",
        "leased_by = '', nudged_at = NULL, nudges = 0,\n            last_error = %(error)s",
        "leased_by = '',\n            last_error = %(error)s",
    ),
    Mutant("requeue keeps the failures", "failures = 0, waits = 0, finished_at = NULL", "finished_at = NULL"),
    Mutant(
        "requeue takes events that are not dead",
        "WHERE id = %s AND status = 'dead' RETURNING",
        "WHERE id = %s RETURNING",
    ),
    Mutant(
        "a paused case is claimed",
        "WHERE id = %(case)s AND paused_at IS NOT NULL)",
        "WHERE id = %(case)s AND paused_at IS NOT NULL AND false)",
        is_quick=True,
    ),
    Mutant(
        "the sweep nudges for a paused case",
        "WHERE id = e.case_id AND paused_at IS NOT NULL)",
        "WHERE id = e.case_id AND paused_at IS NOT NULL AND false)",
        is_quick=True,
    ),
    Mutant(
        "a case that is resumed waits on",
        "_wake_head(cursor, case_id)\n        cursor.execute(",
        "cursor.execute(",
    ),
    Mutant("a heartbeat revives a lease that ran out", "attempt = %s AND lease_until > now()", "attempt = %s"),
    Mutant(
        "a heartbeat extends another worker's lease",
        "WHERE id = %s AND status = 'running' AND attempt = %s AND lease_until",
        "WHERE id = %s AND status = 'running' AND %s > 0 AND lease_until",
    ),
    Mutant(
        "a heartbeat extends nothing",
        "UPDATE cases_caseevent SET lease_until = now() + %s * interval '1 second'",
        "UPDATE cases_caseevent SET lease_until = lease_until + %s * interval '0 second'",
    ),
]


@contextmanager
def load_mutant(mutant: Mutant) -> Iterator[Any]:
    """Yields a copy of cases.ledger with the fault in it."""
    source = SOURCE
    if mutant.old:
        found = source.count(mutant.old)
        assert found == 1, f"{mutant.name}: its text stands {found} times in cases/ledger.py; mend the mutant"
        source = source.replace(mutant.old, mutant.new)
    run_sql(mutant.sql)
    module = ModuleType("cases.mutated_ledger")
    # dataclasses look up the module of the class that they make.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, f"<{mutant.name}>", "exec"), vars(module))
        yield module
    finally:
        del sys.modules[module.__name__]
        run_sql(mutant.undo)


def run_sql(statement: str) -> None:
    if statement:
        with connection.cursor() as cursor:
            cursor.execute(statement)
