"""Deletes what is of no use any more: used-up allowances that are whole again, old answers; must not delete a case."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

BATCH = 5000
# The life of an Idempotency-Key (docs/api/idempotency.md).
ANSWERS_ARE_KEPT = timedelta(hours=24)

# Each batch is a transaction of its own, and what a request holds at that moment is left to the next hour.
FORGET_ALLOWANCES = """
DELETE FROM cases_requestallowance WHERE subject IN (
    SELECT subject FROM cases_requestallowance WHERE empty_at < clock_timestamp()
     LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""
FORGET_ANSWERS = """
DELETE FROM cases_idempotentanswer WHERE id IN (
    SELECT id FROM cases_idempotentanswer WHERE created_at < %(before)s
     ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


def forget_old_requests(now: datetime) -> int:
    """Deletes allowances that hold nothing any more and kept answers older than 24 hours; returns how many rows.

    A second call at once deletes nothing twice. An allowance counts on the database's clock, as when it was used.
    """
    return _delete_in_batches(FORGET_ALLOWANCES, {}) + _delete_in_batches(
        FORGET_ANSWERS, {"before": now - ANSWERS_ARE_KEPT}
    )


def _delete_in_batches(statement: str, values: dict[str, datetime]) -> int:
    deleted = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**values, "limit": BATCH})
            count: int = cursor.rowcount
        deleted += count
        if count < BATCH:
            return deleted
