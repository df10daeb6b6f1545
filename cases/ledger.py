"""The event ledger's SQL, from record to sweep; must not know what an event means.

One row of `CaseEvent` is the outbox, the inbox and the claim register of one event. Times of leases and
retries are the database's own `now()`, so that two hosts can never disagree about them. Everything here
may be called twice; a claim that was lost shows as `LeaseLost`, and the caller's transaction must then roll back.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from cases.workflow import EventKind

logger = logging.getLogger(__name__)

LONGEST_BACKOFF_SECONDS = 600
# A "retry after" of years would hide the event for as long.
LONGEST_NAMED_WAIT_SECONDS = 24 * 3600
SHORTEST_PATIENCE_SECONDS, LONGEST_PATIENCE_SECONDS = 60.0, 600.0
REPEATED_NUDGES_PER_SECOND = 10
ERROR_LENGTH = 2000


class LeaseLost(Exception):
    """Another worker holds the event, or it has ended; nothing of this worker's may be stored."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """event_id: the row that holds the key. is_new: whether this call made it."""

    event_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's lease of one event. `attempt` is the fencing token."""

    event_id: int
    case_id: UUID
    kind: EventKind
    payload: dict[str, Any]
    attempt: int
    failures: int
    waits: int
    claimed_at: datetime


def record(
    *, case_id: UUID, kind: EventKind, key: str, payload: dict[str, Any], summary: str = "", born_done: bool = False
) -> Recorded:
    """Writes an event into the caller's transaction and returns its row; the same key again keeps the first.

    The case's row is locked first, so that inside a case the order of ids is the order of commits. The
    case's waiting head becomes due at once: an event that says "stop" is never stuck behind a backoff.
    `born_done` is for what the caller has already applied and only the timeline needs.
    """
    # Without a savepoint of its own: two round trips in every request for a rollback that nobody wants alone.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        _lock_case(cursor, case_id)
        values = _make_row(case_id, kind, key, payload, summary, born_done)
        cursor.execute(f"{_INSERT} ON CONFLICT (key) DO NOTHING RETURNING id", values)
        row = cursor.fetchone()
        if row is None:
            cursor.execute("SELECT id, payload_hash FROM cases_caseevent WHERE key = %s", [key])
            event_id, first_hash = cursor.fetchone()
            if first_hash != values["hash"]:
                logger.warning("event %s was recorded again with another payload; the first stays", event_id)
            return Recorded(event_id, is_new=False)
        if not born_done:
            _wake_head(cursor, case_id)
        return Recorded(row[0], is_new=True)


def record_first(
    *,
    insert_case: str,
    case_values: dict[str, Any],
    case_id: UUID,
    kind: EventKind,
    key: str,
    payload: dict[str, Any],
) -> None:
    """Makes a case by the caller's INSERT and writes its first event, in one statement.

    Nobody else can see the case yet, so there is no row to lock, no head to wake and no key to meet; a second
    call with the key raises IntegrityError.
    """
    with connection.cursor() as cursor:
        values = {**case_values, **_make_row(case_id, kind, key, payload)}
        cursor.execute(f"WITH made AS ({insert_case}) {_INSERT}", values)


_INSERT = """
    INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits,
                                 leased_by, run_after, nudges, last_error, summary, created_at, finished_at)
    VALUES (%(key)s, %(case)s, %(kind)s, %(payload)s::jsonb, %(hash)s, %(status)s, 0, 0, 0,
            '', now(), 0, '', %(summary)s, clock_timestamp(), CASE WHEN %(done)s THEN clock_timestamp() END)
"""


def _make_row(
    case_id: UUID, kind: EventKind, key: str, payload: dict[str, Any], summary: str = "", born_done: bool = False
) -> dict[str, Any]:
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return {
        "key": key,
        "case": case_id,
        "kind": kind,
        "payload": text,
        "hash": hashlib.sha256(text.encode()).hexdigest(),
        "status": "done" if born_done else "ready",
        "summary": summary,
        "done": born_done,
    }


def _lock_case(cursor: Any, case_id: UUID) -> None:
    cursor.execute("SELECT 1 FROM cases_case WHERE id = %s FOR NO KEY UPDATE", [case_id])


def _wake_head(cursor: Any, case_id: UUID) -> None:
    cursor.execute(
        """
        UPDATE cases_caseevent SET run_after = now(), nudged_at = NULL, nudges = 0
         WHERE status = 'ready' AND run_after > now() AND id = (
               SELECT id FROM cases_caseevent
                WHERE case_id = %s AND status IN ('ready', 'running') ORDER BY id LIMIT 1)
        """,
        [case_id],
    )


def wake(case_id: UUID) -> None:
    """Makes the case's waiting head due at once, and gives what is dead a whole wait for a human again.

    For a case that was held; in the caller's transaction, which has locked the case's row.
    """
    with connection.cursor() as cursor:
        _wake_head(cursor, case_id)
        cursor.execute(
            "UPDATE cases_caseevent SET finished_at = now() WHERE case_id = %s AND status = 'dead'", [case_id]
        )


def claim(case_id: UUID, worker: str) -> Claim | None:
    """Takes the head of the case's line on a lease, or returns None: nothing is due, it is paused, or it is taken.

    None always means that the message may be acknowledged. A lease that has run out is taken back and counts as a
    failure, because its worker died or hung; the head is then tried again. One statement where nothing is in the way.
    """
    claimed = _take_head(case_id, worker)
    if claimed is None and _take_back_expired(case_id):
        claimed = _take_head(case_id, worker)
    return claimed


def _take_head(case_id: UUID, worker: str) -> Claim | None:
    # One statement needs no transaction; inside a caller's, the error must not take that one with it.
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with savepoint, connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE cases_caseevent
                   SET status = 'running', attempt = attempt + 1, lease_until = now() + %(lease)s * interval '1 second',
                       leased_by = %(worker)s,
                       started_at = coalesce(started_at, now())
                 WHERE id = (SELECT id FROM cases_caseevent
                              WHERE case_id = %(case)s AND status IN ('ready', 'running') ORDER BY id LIMIT 1)
                   AND status = 'ready' AND run_after <= now()
                   AND NOT EXISTS (SELECT 1 FROM cases_case WHERE id = %(case)s AND paused_at IS NOT NULL)
                RETURNING id, kind, payload, attempt, failures, waits, now()
                """,
                {"lease": settings.OFFLOAD_LEASE_SECONDS, "worker": worker[:200], "case": case_id},
            )
            row = cursor.fetchone()
    except IntegrityError:
        # The partial unique index: another event of this case runs, one that was claimed in the same instant or, after
        # a requeue, one behind this.
        return None
    if row is None:
        return None
    event_id, kind, payload, attempt, failures, waits, claimed_at = row
    document = json.loads(payload) if isinstance(payload, str) else payload
    return Claim(event_id, case_id, EventKind(kind), document, attempt, failures, waits, claimed_at)


def _take_back_expired(case_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
        UPDATE cases_caseevent
           SET failures = failures + 1, lease_until = NULL, leased_by = '',
               status = CASE WHEN failures + 1 >= %(limit)s THEN 'dead' ELSE 'ready' END,
               finished_at = CASE WHEN failures + 1 >= %(limit)s THEN now() END,
               last_error = 'The worker died or hung: its lease ran out.'
         WHERE case_id = %(case)s AND status = 'running' AND lease_until < now()
        RETURNING id, status
        """,
            {"limit": settings.OFFLOAD_MAX_FAILURES, "case": case_id},
        )
        taken_back = cursor.fetchall()
    for event_id, status in taken_back:
        logger.warning("the lease of event %s ran out; it is %s", event_id, status)
    return bool(taken_back)


def heartbeat(claimed: Claim) -> bool:
    """Extends the lease; returns False once it is lost, and then the worker must stop."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE cases_caseevent SET lease_until = now() + %s * interval '1 second'
             WHERE id = %s AND status = 'running' AND attempt = %s AND lease_until > now()
            """,
            [settings.OFFLOAD_LEASE_SECONDS, claimed.event_id, claimed.attempt],
        )
        return bool(cursor.rowcount)


def fence(claimed: Claim) -> None:
    """Proves inside the caller's transaction that the lease still holds, and holds the row until commit.

    Raises LeaseLost. Call it first in every transaction that stores something on behalf of a claim.
    """
    _change_claimed(
        claimed, "lease_until = now() + %(lease)s * interval '1 second'", {"lease": settings.OFFLOAD_LEASE_SECONDS}
    )


def finish(claimed: Claim, summary: str) -> None:
    """Ends the event as done, in the transaction of its effects. Raises LeaseLost; a second call does too."""
    _change_claimed(
        claimed,
        "status = 'done', lease_until = NULL, leased_by = '', finished_at = clock_timestamp(), summary = %(summary)s",
        {"summary": summary},
    )


def postpone(claimed: Claim, reason: str, retry_after_s: float | None) -> None:
    """Gives the event back for later without counting a failure: not now, unknown, or our configuration.

    Waits `retry_after_s` seconds (1 at least) when the other side named a time, else a doubling time of up to 10
    minutes. An event that was recorded meanwhile is not made to wait behind this one. Raises LeaseLost.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Or an event that is being recorded and this one would not see each other: it wakes only a head that waits.
        _lock_case(cursor, claimed.case_id)
        _change_claimed(
            claimed,
            f"""status = 'ready', lease_until = NULL, leased_by = '', waits = waits + 1, nudged_at = NULL, nudges = 0,
                last_error = %(reason)s,
                run_after = now() + CASE
                    WHEN EXISTS (SELECT 1 FROM cases_caseevent newer
                                  WHERE newer.case_id = cases_caseevent.case_id AND newer.id > cases_caseevent.id
                                    AND newer.status = 'ready' AND newer.created_at >= %(claimed_at)s)
                    THEN interval '1 second'
                    ELSE coalesce(%(named)s * interval '1 second', {_backoff("waits")}) END""",  # noqa: S608
            {
                "reason": _clean(reason),
                "claimed_at": claimed.claimed_at,
                "named": None if retry_after_s is None else min(max(retry_after_s, 1), LONGEST_NAMED_WAIT_SECONDS),
            },
        )


def fail(claimed: Claim, error: str) -> bool:
    """Counts an unexpected failure and retries later, or lets the event die at the limit.

    Returns True when it died. Raises LeaseLost.
    """
    status = _change_claimed(
        claimed,
        f"""status = CASE WHEN failures + 1 >= %(limit)s THEN 'dead' ELSE 'ready' END,
            finished_at = CASE WHEN failures + 1 >= %(limit)s THEN now() END,
            failures = failures + 1, lease_until = NULL, leased_by = '', nudged_at = NULL, nudges = 0,
            last_error = %(error)s, run_after = now() + {_backoff("failures")}""",
        {"limit": settings.OFFLOAD_MAX_FAILURES, "error": _clean(error)},
    )
    return status == "dead"


def _clean(text: str) -> str:
    """PostgreSQL stores no NUL, and an error may quote one."""
    return text.replace("\x00", "\ufffd")[:ERROR_LENGTH]


def _change_claimed(claimed: Claim, assignments: str, values: dict[str, Any]) -> str:
    # The assignments are this module's own text; what comes from outside is bound as a value.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE cases_caseevent SET {assignments}
             WHERE id = %(event)s AND status = 'running' AND attempt = %(attempt)s RETURNING status
            """,  # noqa: S608
            {**values, "event": claimed.event_id, "attempt": claimed.attempt},
        )
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost(f"the lease of event {claimed.event_id}, attempt {claimed.attempt}, is lost")
    return str(row[0])


def _backoff(counter: str) -> str:
    """SQL for 1, 2, 4 … s up to 10 minutes, times 0.5 to 1, so that failures do not come back in step."""
    return f"least({LONGEST_BACKOFF_SECONDS}, 2 ^ least({counter}, 10)) * (0.5 + random() * 0.5) * interval '1 second'"


def measure_patience() -> float:
    """Returns the most seconds that an unfollowed nudge is waited for: 60, or more where more is due, up to 600.

    Long waits are there because a queue that is slow chokes on copies of its own nudges; so what is repeated is held
    to ten messages a second. With little due, they would only make a lost message cost ten minutes. What waits for its
    time or for a resume is in no queue.
    """
    with connection.cursor() as cursor:
        # Beyond the longest patience no number changes the answer, and to count a million takes half a second.
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT 1 FROM cases_caseevent e
                 WHERE status IN ('ready', 'running') AND (status = 'running' OR run_after <= now())
                   AND NOT EXISTS (SELECT 1 FROM cases_case c WHERE c.id = e.case_id AND c.paused_at IS NOT NULL)
                 LIMIT %s) found
            """,
            [int(LONGEST_PATIENCE_SECONDS * REPEATED_NUDGES_PER_SECOND)],
        )
        due_events = int(cursor.fetchone()[0])
    return min(max(due_events / REPEATED_NUDGES_PER_SECOND, SHORTEST_PATIENCE_SECONDS), LONGEST_PATIENCE_SECONDS)


def measure_turn(patience_s: float) -> float:
    """Returns how many seconds a nudge is taken for one that waits its turn in the queue: what exceeds 60 s.

    0 while no worker is at anything: nobody waits for a turn then, the nudges are lost.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM cases_caseevent WHERE status = 'running' AND lease_until > now())")
        is_anybody_at_work = bool(cursor.fetchone()[0])
    return patience_s - SHORTEST_PATIENCE_SECONDS if is_anybody_at_work else 0


def sweep(limit: int = 500, patience_s: float = LONGEST_PATIENCE_SECONDS, soonest_s: float = 0) -> list[UUID]:
    """Returns the cases to nudge: events that are due, and events whose lease has run out; none of a paused case.

    Any number of sweeps may run at once. A nudge that was not followed is repeated after 20, 40, 80 … s, but within
    `patience_s`, and no sooner than `soonest_s`, its first one included: whoever records an event nudges for it. What
    waits for its retry has nobody else to nudge for it, and is found at once. Call it until it returns fewer than
    `limit`.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id FROM cases_caseevent e
                 WHERE ((status = 'ready' AND run_after <= now()) OR (status = 'running' AND lease_until < now()))
                   AND CASE WHEN nudged_at IS NULL THEN attempt > 0 OR run_after <= now() - %s * interval '1 s'
                            ELSE nudged_at < now() - least(%s, 10 * 2 ^ least(nudges, 6)) * interval '1 s'
                                 AND (status = 'running' OR nudged_at < now() - %s * interval '1 s') END
                   AND NOT EXISTS (SELECT 1 FROM cases_caseevent before
                                    WHERE before.case_id = e.case_id AND before.id < e.id
                                      AND before.status IN ('ready', 'running'))
                   AND NOT EXISTS (SELECT 1 FROM cases_case WHERE id = e.case_id AND paused_at IS NOT NULL)
                 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE cases_caseevent e SET nudged_at = now(), nudges = nudges + 1
              FROM due WHERE e.id = due.id RETURNING e.case_id
            """,
            [soonest_s, patience_s, soonest_s, limit],
        )
        return list(dict.fromkeys(row[0] for row in cursor.fetchall()))


def requeue(event_id: int) -> UUID | None:
    """Puts a dead event back in its case's line with a clean count; returns its case, or None if it is not dead."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE cases_caseevent
               SET status = 'ready', failures = 0, waits = 0, finished_at = NULL, run_after = now(),
                   nudged_at = NULL, nudges = 0
             WHERE id = %s AND status = 'dead' RETURNING case_id
            """,
            [event_id],
        )
        row = cursor.fetchone()
        return row[0] if row else None
