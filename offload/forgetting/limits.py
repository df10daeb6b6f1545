"""Empties what a client's limits no longer let ended cases keep; must never touch a case that lives, nor its outcome.

In batches of one transaction each, so that it may be stopped and run again at any time. The case keeps its status,
result and timeline, and is marked, so that pages say why there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from cases.keeping import Keeping

BATCH = 200
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

FIND = """
    SELECT id, updated_at FROM cases_case
     WHERE client_id = %(client)s AND updated_at >= %(since)s AND updated_at < %(before)s
       AND status IN ('COMPLETED', 'FAILED') AND {mark} IS NULL
     ORDER BY updated_at LIMIT %(limit)s FOR NO KEY UPDATE
"""
# A mail that came after its case was emptied, found once it is as old as the limit lets it be.
FIND_LATE = """
    SELECT DISTINCT mail.owner
      FROM agentmail_inboundemail mail JOIN cases_case found ON found.id = mail.owner
     WHERE mail.received_at >= %(since)s AND mail.received_at < %(before)s AND found.client_id = %(client)s
       AND found.status IN ('COMPLETED', 'FAILED') AND found.{mark} < mail.received_at
"""
# Also the events that reported the same mail once more, which no row of a mail points to.
PAYLOADS = """
    UPDATE agentmail_providerevent SET payload = '{}' WHERE event_id IN (
           SELECT event_id FROM agentmail_inboundemail WHERE owner = ANY(%(cases)s))
        OR kind = 'mail' AND message_id <> '' AND (inbox_id, message_id) IN (
           SELECT inbox_id, message_id FROM agentmail_inboundemail WHERE owner = ANY(%(cases)s))
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that has a limit: the name of its fields and what empties it."""

    name: str
    statements: tuple[str, ...]


KINDS = (
    Kind(
        "mail",
        (
            # A mail whose sending is not settled is still needed, word by word.
            """UPDATE agentmail_outboundemail SET subject = '', text = '[cleared]', payload = '{}', last_error = ''
                WHERE owner = ANY(%(cases)s) AND state IN ('sent', 'refused', 'abandoned')""",
            """UPDATE agentmail_inboundemail SET subject = '', text = '', html = '', extracted_text = '', headers = '{}'
                WHERE owner = ANY(%(cases)s)""",
            PAYLOADS,
        ),
    ),
    Kind(
        "files",
        (
            "DELETE FROM cases_attachment WHERE case_id = ANY(%(cases)s)",
            "UPDATE agentmail_inboundemail SET attachments = '[]' WHERE owner = ANY(%(cases)s)",
            PAYLOADS,
        ),
    ),
    Kind(
        "agent",
        (
            """UPDATE cases_agentrun SET decision = '{}', rationale = '', reasks = '[]', guard_hits = '[]'
                WHERE case_id = ANY(%(cases)s)""",
        ),
    ),
)


def clear_what_is_over(now: datetime, batch: int = BATCH) -> int:
    """Empties what every client's limits no longer keep and returns of how many cases; a second call finds none.

    Two at once wait for each other case by case and do nothing twice.
    """
    return sum(
        _clear(keeping, kind, now, batch)
        for keeping in Keeping.objects.order_by("client_id")
        for kind in KINDS
        if getattr(keeping, f"{kind.name}_days") is not None
    )


def _clear(keeping: Keeping, kind: Kind, now: datetime, batch: int) -> int:
    before = now - timedelta(days=getattr(keeping, f"{kind.name}_days"))
    since = getattr(keeping, f"{kind.name}_done_until") or BEGINNING
    cleared = _clear_late(keeping.client_id, kind, since, before, now, batch)
    while True:
        with transaction.atomic():
            found = _find(keeping.client_id, kind, since, before, batch)
            if found:
                _empty(kind, [case_id for case_id, _ in found], now)
            # The last case's own time, not `before`: another that ended at that instant may follow.
            since = found[-1][1] if found else max(since, before)
            Keeping.objects.filter(pk=keeping.pk).update(**{f"{kind.name}_done_until": since})
        cleared += len(found)
        if len(found) < batch:
            return cleared


def _clear_late(client_id: UUID, kind: Kind, since: datetime, before: datetime, now: datetime, batch: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            FIND_LATE.format(mark=f"{kind.name}_cleared_at"), {"client": client_id, "since": since, "before": before}
        )
        late: list[UUID] = [row[0] for row in cursor.fetchall()]
    for first in range(0, len(late), batch):
        with transaction.atomic():
            _empty(kind, late[first : first + batch], now)
    return len(late)


def _find(client_id: UUID, kind: Kind, since: datetime, before: datetime, batch: int) -> list[tuple[UUID, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            FIND.format(mark=f"{kind.name}_cleared_at"),
            {"client": client_id, "since": since, "before": before, "limit": batch},
        )
        rows: list[tuple[UUID, datetime]] = cursor.fetchall()
        return rows


def _empty(kind: Kind, case_ids: Sequence[UUID], now: datetime) -> None:
    mark = f"UPDATE cases_case SET {kind.name}_cleared_at = %(now)s WHERE id = ANY(%(cases)s)"  # noqa: S608
    with connection.cursor() as cursor:
        for statement in (*kind.statements, mark):
            cursor.execute(statement, {"cases": list(case_ids), "now": now})
