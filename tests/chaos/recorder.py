"""Writes down every change of a case, a ledger row and each attempt to send; must not change what it watches.

The product keeps states, not their history. Triggers of the run's own database note each commit, so that the checker
can tell an illegal step from a legal one that ended in the same place.
"""

from __future__ import annotations

import psycopg

INSTALL = """
CREATE TABLE chaos_case_step (
    id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), case_id uuid NOT NULL,
    status text NOT NULL, result_status text NOT NULL, attempt_count int NOT NULL, follow_ups_sent int NOT NULL,
    result jsonb);
CREATE TABLE chaos_event_step (
    id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), case_id uuid NOT NULL,
    event_id bigint NOT NULL, status text NOT NULL, attempt int NOT NULL);
-- An attempt begins, and a case ends, under the lock of the case's row: their times are in the order of these.
CREATE TABLE chaos_send_step (
    id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), case_id uuid NOT NULL,
    reference text NOT NULL);

CREATE FUNCTION chaos_note_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_case_step (case_id, status, result_status, attempt_count, follow_ups_sent, result)
    VALUES (NEW.id, NEW.status, NEW.result_status, NEW.attempt_count, NEW.follow_ups_sent, NEW.result);
    RETURN NULL;
END $$;
CREATE FUNCTION chaos_note_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_event_step (case_id, event_id, status, attempt)
    VALUES (NEW.case_id, NEW.id, NEW.status, NEW.attempt);
    RETURN NULL;
END $$;
CREATE FUNCTION chaos_note_send() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_send_step (case_id, reference) VALUES (NEW.owner, NEW.reference);
    RETURN NULL;
END $$;

CREATE TRIGGER chaos_case_born AFTER INSERT ON cases_case FOR EACH ROW EXECUTE FUNCTION chaos_note_case();
CREATE TRIGGER chaos_case_changed AFTER UPDATE ON cases_case FOR EACH ROW
    WHEN ((OLD.status, OLD.result_status, OLD.attempt_count, OLD.follow_ups_sent, OLD.result)
          IS DISTINCT FROM (NEW.status, NEW.result_status, NEW.attempt_count, NEW.follow_ups_sent, NEW.result))
    EXECUTE FUNCTION chaos_note_case();
CREATE TRIGGER chaos_event_born AFTER INSERT ON cases_caseevent FOR EACH ROW EXECUTE FUNCTION chaos_note_event();
CREATE TRIGGER chaos_event_changed AFTER UPDATE ON cases_caseevent FOR EACH ROW
    WHEN ((OLD.status, OLD.attempt) IS DISTINCT FROM (NEW.status, NEW.attempt)) EXECUTE FUNCTION chaos_note_event();
CREATE TRIGGER chaos_send_begun AFTER UPDATE ON agentmail_outboundemail FOR EACH ROW
    WHEN (OLD.attempts < NEW.attempts) EXECUTE FUNCTION chaos_note_send();
"""


def install(database_url: str) -> None:
    """Adds the triggers to a database of the run's own, once, before the first case."""
    with psycopg.connect(database_url) as connection:
        connection.execute(INSTALL)
