"""The rows of the sweep's bench, made by the database itself; must not go through the ORM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

CLIENT = "crowd"
Connection = psycopg.Connection[tuple[Any, ...]]

# Half of the cases have ended, the others wait: some are due, the rest become due within three days.
MAKE_CASES = """
INSERT INTO cases_case (
    id, client_id, client_reference_id, channel, objective, knowledge, result_schema, metadata, client_webhook_url,
    counterparty_name, counterparty_address, counterparty_company, counterparty_timezone, persona_name, persona_role,
    persona_company, persona_tone, status, max_attempts, follow_up_delay_hours, attempt_count, follow_ups_sent,
    snoozes_in_a_row, next_action, next_action_at, due_at, clock_offset, clock_moves, result_status, failure_reason,
    inbox_id, thread_id, created_at, updated_at)
SELECT gen_random_uuid(), %(client)s, 'vendor-' || n, 'EMAIL', 'Collect a signed W-9 from Maya at Northstar',
       '"Invoice 1042 can be paid once the form is on file. It is needed by Friday."',
       '{"type": "object", "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}}}',
       jsonb_build_object('invoice', n), 'https://hooks.northstar.example/offload', 'Maya Lindqvist',
       'maya-' || n || '@northstar.example', 'Northstar', 'Europe/Stockholm', 'Ana Reyes', 'Accounts payable', 'Acme',
       '', CASE WHEN due IS NULL THEN 'COMPLETED' ELSE 'RUNNING' END, 3, 72, 1, 0, 0,
       CASE WHEN due IS NULL THEN '' ELSE 'follow_up' END, due, due, interval '0', '[]',
       CASE WHEN due IS NULL THEN 'goal_achieved' ELSE '' END, '', 'agent@offload.example', 'thread-' || n,
       now() - interval '3 days', now() - interval '3 days'
  FROM generate_series(1, %(cases)s) AS n,
       LATERAL (SELECT CASE WHEN n <= %(due)s THEN now() - random() * interval '1 hour'
                            WHEN n <= %(cases)s / 2 THEN now() + interval '1 day' + random() * interval '2 days' END
               ) AS schedule (due)
"""
MAKE_FIRST_EVENTS = """
INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits, leased_by,
                             run_after, nudges, last_error, summary, created_at, started_at, finished_at)
SELECT 'created:' || id, id, 'CASE_CREATED', '{}', repeat('0', 64), 'done', 1, 0, 0, '', created_at, 1, '',
       'The first message was sent to ' || counterparty_address || '.', created_at, created_at, created_at
  FROM cases_case WHERE client_id = %s
"""
# The floor: what anybody would have to write, in one statement, with nothing beside it.
BARE_INSERT = """
INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits, leased_by,
                             run_after, nudged_at, nudges, last_error, summary, created_at)
SELECT 'follow-up:' || id || ':' || (extract(epoch FROM next_action_at) * 1000)::bigint, id, 'FOLLOW_UP_DUE', document,
       encode(sha256(document::text::bytea), 'hex'), 'ready', 0, 0, 0, '', now(), now(), 1, '', '', now()
  FROM cases_case, LATERAL (SELECT jsonb_build_object('scheduled_for', next_action_at)) AS made (document)
 WHERE status = 'RUNNING' AND due_at <= %(now)s
ON CONFLICT (key) DO NOTHING
"""
PLAIN_INDEXES = """
SELECT indexname, indexdef
  FROM pg_indexes JOIN pg_class ON relname = indexname JOIN pg_index ON indexrelid = pg_class.oid
 WHERE tablename IN ('cases_case', 'cases_caseevent') AND NOT indisunique
"""
FINGERPRINT = """
SELECT count(*),
       coalesce(sum(hashtextextended(concat_ws(' ', key, case_id, kind, payload, payload_hash, status), 0)), 0)
  FROM cases_caseevent WHERE kind <> 'CASE_CREATED'
"""


def make_rows(database: Connection, cases: int, due: int) -> None:
    """Adds `cases` cases of a client of their own, each with its first event done, `due` of them due."""
    client = str(uuid4())
    database.execute(
        "INSERT INTO cases_client (id, name, is_active, created_at) VALUES (%s, %s, true, now())", [client, CLIENT]
    )
    with without_indexes(database):
        database.execute(MAKE_CASES, {"client": client, "cases": cases, "due": due})
        database.execute(MAKE_FIRST_EVENTS, [client])
    database.execute("VACUUM (ANALYZE) cases_case, cases_caseevent")


@contextmanager
def without_indexes(database: Connection) -> Iterator[None]:
    """Takes the indexes that enforce nothing away and makes them again: a tenth of the time for a million rows."""
    found = database.execute(PLAIN_INDEXES).fetchall()
    for name, _ in found:
        database.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    for _, definition in found:
        database.execute(definition.encode())


def forget_cases(database: Connection) -> None:
    """Takes away what `make_rows` has made; without anything made it does nothing."""
    mine = "(SELECT id FROM cases_client WHERE name = %s)"
    database.execute(
        f"DELETE FROM cases_caseevent USING cases_case c WHERE case_id = c.id AND c.client_id IN {mine}".encode(),
        [CLIENT],
    )
    database.execute(f"DELETE FROM cases_case WHERE client_id IN {mine}".encode(), [CLIENT])
    database.execute("DELETE FROM cases_client WHERE name = %s", [CLIENT])
    database.execute("VACUUM (ANALYZE) cases_case, cases_caseevent")


def forget_due_events(database: Connection) -> None:
    """Brings the event table back to its state before a sweep, with nothing left to do for the database itself."""
    database.execute("DELETE FROM cases_caseevent WHERE kind <> 'CASE_CREATED'")
    database.execute("VACUUM cases_case, cases_caseevent")
    try:
        # Or whoever comes first after a checkpoint of the server's own writes whole pages for the others.
        database.execute("CHECKPOINT")
    except psycopg.errors.InsufficientPrivilege:
        return


def read_fingerprint(database: Connection) -> tuple[int, int]:
    """Returns how many due events there are, and a sum that only the same events give."""
    count, total = database.execute(FINGERPRINT).fetchall()[0]
    return int(count), int(total)
