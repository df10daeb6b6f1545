"""The rows of the admin's bench, made by the database itself; must not go through the ORM."""

from __future__ import annotations

from bench.sweep_rows import Connection, without_indexes

CLIENTS = 40
USER = "bench"
# A year of work: nineteen of twenty cases have ended, three in a thousand wait for an answer.
MAKE_CLIENTS = """
INSERT INTO cases_client (id, name, is_active, created_at)
SELECT gen_random_uuid(), 'Client ' || lpad(n::text, 2, '0'), true, now() - interval '365 days'
  FROM generate_series(1, %(clients)s) AS n
"""
MAKE_CASES = """
WITH clients AS (SELECT array_agg(id ORDER BY name) AS ids FROM cases_client)
INSERT INTO cases_case (
    id, client_id, client_reference_id, channel, objective, knowledge, result_schema, metadata, client_webhook_url,
    counterparty_name, counterparty_address, counterparty_company, counterparty_timezone, persona_name, persona_role,
    persona_company, persona_tone, status, max_attempts, follow_up_delay_hours, attempt_count, follow_ups_sent,
    snoozes_in_a_row, next_action, next_action_at, due_at, clock_offset, clock_moves, result_status, failure_reason,
    inbox_id, thread_id, created_at, updated_at)
SELECT gen_random_uuid(),
       -- A few clients have most of the cases.
       clients.ids[1 + floor(power(random(), 3) * %(clients)s)::int], 'order-' || n, 'EMAIL',
       CASE WHEN n %% 50 = 0 THEN 'Collect a signed W-9' WHEN n %% 3 = 0 THEN 'Confirm the delivery date of pallet'
            ELSE 'Get the missing insurance certificate' END
           || ' for invoice INV-' || n || ' from ' || name || ' at ' || company || '.',
       '"The order can be closed once the paper is on file. It is needed by Friday."',
       '{"type": "object", "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}}}',
       jsonb_build_object('invoice', n), 'https://hooks.northstar.example/offload', name,
       lower(replace(name, ' ', '.')) || n || '@' || lower(company) || '.example', company, 'Europe/Stockholm',
       'Ana Reyes', 'Accounts payable', 'Acme', '', status, 3, 72, CASE WHEN status = 'CREATED' THEN 0 ELSE 1 END, 0, 0,
       CASE WHEN due IS NULL THEN '' ELSE 'follow_up' END, due, due, interval '0', '[]',
       CASE status WHEN 'COMPLETED' THEN 'goal_achieved'
                   WHEN 'FAILED' THEN (ARRAY['max_retries', 'max_retries', 'failed_rejected', 'BOUNCED', 'cancelled'])
                                      [1 + n / 5 %% 5]
                   ELSE '' END,
       '', 'agent@offload.example', 'thread-' || n, opened, opened + random() * interval '4 days'
  FROM clients, generate_series(1, %(cases)s) AS n,
       LATERAL (SELECT CASE WHEN n %% 1000 < 3 THEN 'INPUT_NEEDED' WHEN n %% 1000 < 4 THEN 'CREATED'
                            WHEN n %% 100 < 5 THEN 'RUNNING' WHEN n %% 5 = 0 THEN 'FAILED' ELSE 'COMPLETED' END,
                       now() - random() * interval '365 days',
                       (ARRAY['Maya', 'Ben', 'Ola', 'Sofia', 'Jonas', 'Amara', 'Kenji', 'Lucia', 'Noor', 'Pavel'])
                       [1 + floor(random() * 10 + n * 0)::int] || ' ' ||
                       (ARRAY['Lindqvist', 'Okafor', 'Tanaka', 'Reyes', 'Novak', 'Haddad', 'Moreau', 'Silva', 'Berg',
                              'Chen'])[1 + floor(random() * 10 + n * 0)::int],
                       (ARRAY['Northstar', 'Harbor', 'Fjord', 'Meridian', 'Cobalt'])[1 + n %% 5]
               ) AS made (status, opened, name, company),
       LATERAL (SELECT CASE WHEN status = 'RUNNING' THEN now() + (random() * 7 - 0.1 + n * 0) * interval '1 day' END
               ) AS schedule (due)
"""
MAKE_QUESTIONS = """
INSERT INTO cases_inputrequest (id, case_id, question, status, requested_at, resolved_at, answer, answered_by)
SELECT gen_random_uuid(), id, 'May the old certificate be used for one more month?',
       CASE WHEN status = 'INPUT_NEEDED' THEN 'PENDING' ELSE 'RESOLVED' END,
       updated_at - interval '3 hours',
       CASE WHEN status <> 'INPUT_NEEDED' THEN updated_at - random() * interval '3 hours' END,
       CASE WHEN status <> 'INPUT_NEEDED' THEN 'Yes, until the end of the month.' ELSE '' END,
       CASE WHEN status <> 'INPUT_NEEDED' THEN 'sam' ELSE '' END
  FROM cases_case WHERE status = 'INPUT_NEEDED' OR (status <> 'CREATED' AND random() < 0.1)
"""
MAKE_EVENTS = """
INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits, leased_by,
                             run_after, nudges, last_error, summary, created_at, started_at, finished_at)
SELECT 'created:' || id, id, 'CASE_CREATED', '{}', repeat('0', 64),
       CASE WHEN number %% 5000 = 0 THEN 'dead' ELSE 'done' END, 1, 0, 0, '', created_at, 1, '',
       'The first message was sent.', created_at, created_at, created_at
  FROM (SELECT id, created_at, row_number() OVER (ORDER BY status DESC, id) AS number FROM cases_case) AS numbered
"""
MAKE_DEEDS = """
INSERT INTO django_admin_log (action_time, user_id, content_type_id, object_id, object_repr, action_flag,
                              change_message)
SELECT now() - random() * interval '90 days', %(user)s,
       (SELECT id FROM django_content_type WHERE app_label = 'cases' AND model = 'case'), case_id, 'A case', 2,
       'Answered the question.'
  FROM cases_inputrequest WHERE status = 'RESOLVED' LIMIT 20000
"""
TABLES = "cases_case, cases_caseevent, cases_inputrequest, cases_client, django_admin_log"


def make_rows(database: Connection, cases: int, user: int) -> None:
    """Fills an empty, migrated database with `cases` cases of a year, and with deeds of the user with that id."""
    with without_indexes(database):
        database.execute(MAKE_CLIENTS, {"clients": CLIENTS})
        database.execute(MAKE_CASES, {"cases": cases, "clients": CLIENTS})
        database.execute(MAKE_QUESTIONS)
        database.execute(MAKE_EVENTS.replace("%%", "%"))
        database.execute(MAKE_DEEDS, {"user": user})
    database.execute(f"VACUUM (ANALYZE) {TABLES}".encode())
