"""Turns due schedules into events, in batches of SQL; must not touch the wide case rows or load them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

BATCH = 5000

# One statement a batch. The keys are deterministic, so that sweeps that overlap record each schedule once.
# The case rows are locked, not changed: updating them costs fifteen times the insert.
RECORD_BATCH = """
WITH due AS (
    SELECT id, next_action, next_action_at, due_at FROM cases_case
     WHERE status = 'RUNNING' AND due_at IS NOT NULL AND due_at <= %(now)s AND paused_at IS NULL
       AND (due_at, id) > (%(due)s, %(id)s)
     ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED),
written AS (
    INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits,
                                 leased_by, run_after, nudged_at, nudges, last_error, summary, created_at)
    SELECT CASE next_action WHEN 'recheck' THEN 'recheck:' ELSE 'follow-up:' END || id || ':'
               || (extract(epoch FROM next_action_at) * 1000)::bigint,
           id, CASE next_action WHEN 'recheck' THEN 'RECHECK_DUE' ELSE 'FOLLOW_UP_DUE' END,
           document, encode(sha256(document::text::bytea), 'hex'), 'ready', 0, 0, 0, '', now(), now(), 1, '', '',
           clock_timestamp()
      FROM due, LATERAL (SELECT jsonb_build_object('scheduled_for', next_action_at)) AS made (document)
    ON CONFLICT (key) DO NOTHING RETURNING case_id)
SELECT due.id, due.due_at, written.case_id IS NOT NULL FROM due LEFT JOIN written ON written.case_id = due.id
 ORDER BY due.due_at, due.id
"""


# The same rows for one case that its caller has locked.
RECORD_ONE = RECORD_BATCH.replace("(due_at, id) > (%(due)s, %(id)s)", "id = %(id)s").replace("SKIP LOCKED", "")


def record_due_event(case_id: UUID, now: datetime) -> bool:
    """Records what is due in one case, in the caller's transaction; `now` is the real clock.

    Returns False when nothing is due, the case is paused, or its event is recorded already.
    """
    with connection.cursor() as cursor:
        cursor.execute(RECORD_ONE, {"now": now, "id": case_id, "limit": 1})
        return any(is_new for _, _, is_new in cursor.fetchall())


def record_due_events(now: datetime, *, waits_for_locks: bool = False) -> Iterator[UUID]:
    """Yields the cases for which an event was recorded; `now` is the real clock.

    Each batch is committed before its cases are yielded. A case that another transaction holds is left to
    the next sweep, unless `waits_for_locks`.
    """
    statement = RECORD_BATCH.replace("SKIP LOCKED", "") if waits_for_locks else RECORD_BATCH
    due, last_id = datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0)
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, {"now": now, "due": due, "id": last_id, "limit": BATCH})
            rows = cursor.fetchall()
        yield from (row[0] for row in rows if row[2])
        if len(rows) < BATCH:
            return
        last_id, due = rows[-1][0], rows[-1][1]
