"""Cases, questions, steps and follow-ups in numbers; must not say anything about a single case."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import Metric

from cases.workflow import Status
from offload.collecting.asking import COUNTED, ask, count, gauge, gauges

# A follow-up is found by the next sweep; beyond one sweep and this it is late.
FOLLOW_UP_GRACE_S = 900

OLDEST_QUESTION = """
    SELECT coalesce(extract(epoch FROM now() - min(requested_at)), 0)
      FROM cases_inputrequest WHERE status = 'PENDING'
"""
# What a paused case has to do waits for a person, not for us.
OLDEST_EVENT = """
    SELECT extract(epoch FROM now() - e.run_after) FROM cases_caseevent e
     WHERE e.status = 'ready' AND e.run_after <= now()
       AND NOT EXISTS (SELECT 1 FROM cases_case WHERE id = e.case_id AND paused_at IS NOT NULL)
     ORDER BY e.run_after LIMIT 1
"""
OLDEST_FOLLOW_UP = """
    SELECT extract(epoch FROM now() - due_at) FROM cases_case
     WHERE status = 'RUNNING' AND due_at <= now() AND paused_at IS NULL ORDER BY due_at LIMIT 1
"""
# Such a step is tried again every ten minutes at least, so most of the time its turn lies ahead. The words are those
# of cases.handlers, which a test holds to this.
HELD = """
    SELECT coalesce(sum((last_error LIKE 'The mail provider''s configuration%%')::int), 0),
           coalesce(sum((last_error LIKE 'The agent''s configuration%%')::int), 0),
           coalesce(sum((last_error LIKE 'The agent is not asked, because a cap%%')::int), 0)
      FROM (SELECT last_error FROM cases_caseevent
             WHERE status = 'ready' AND run_after > now() - interval '30 seconds'
             ORDER BY run_after DESC LIMIT %(most)s) waiting
"""
NOT_PAUSED = "NOT EXISTS (SELECT 1 FROM cases_case WHERE id = case_id AND paused_at IS NOT NULL)"


def collect_cases() -> Iterator[Metric]:
    """Yields the cases by status, the paused ones, and the questions that wait for a person."""
    by_status = [
        (str(status), count("cases_case", "status = %(status)s", {"status": str(status)})) for status in Status
    ]
    yield gauges("offload_cases", "Cases by status; above 10,000 an estimate.", "status", by_status)
    paused = count("cases_case", "paused_at IS NOT NULL")
    yield gauge("offload_paused_cases", "Cases that a person has paused.", paused)
    questions = count("cases_inputrequest", "status = 'PENDING'")
    yield gauge("offload_open_questions", "Questions that wait for a person.", questions)
    ((age,),) = ask(OLDEST_QUESTION)
    yield gauge("offload_oldest_question_seconds", "How long the oldest open question has waited.", float(age))


def collect_events() -> Iterator[Metric]:
    """Yields the steps of cases by state, how long the oldest due one waits, and what holds others back."""
    due = count("cases_caseevent", f"status = 'ready' AND run_after <= now() AND {NOT_PAUSED}")
    later = count("cases_caseevent", "status = 'ready' AND run_after > now()")
    running = count("cases_caseevent", "status = 'running'")
    dead = count("cases_caseevent", "status = 'dead'")
    states = [("due", due), ("later", later), ("running", running), ("dead", dead)]
    yield gauges("offload_events", "Steps of cases that are not done, by state.", "state", states)
    rows = ask(OLDEST_EVENT)
    age = float(rows[0][0]) if rows else 0.0
    yield gauge("offload_oldest_event_seconds", "How long the oldest due step has waited for a worker.", age)
    ((mail, agent, cap),) = ask(HELD, {"most": COUNTED})
    held = [("mail configuration", float(mail)), ("agent configuration", float(agent)), ("cap", float(cap))]
    yield gauges("offload_held_events", "Steps that wait until an operator mends something.", "reason", held)


def collect_follow_ups() -> Iterator[Metric]:
    """Yields the follow-ups and rechecks whose time has come, and those that should have gone out by now."""
    due = "status = 'RUNNING' AND due_at <= now() - %(grace)s * interval '1 second' AND paused_at IS NULL"
    late_s = settings.OFFLOAD_FOLLOW_UP_SWEEP_SECONDS + FOLLOW_UP_GRACE_S
    yield gauge("offload_follow_ups_due", "Follow-ups whose time has come.", count("cases_case", due, {"grace": 0}))
    late = count("cases_case", due, {"grace": late_s})
    yield gauge("offload_follow_ups_late", "Follow-ups that one sweep and 15 minutes have left undone.", late)
    rows = ask(OLDEST_FOLLOW_UP)
    age = float(rows[0][0]) if rows else 0.0
    yield gauge("offload_oldest_follow_up_seconds", "For how long the oldest follow-up has been due.", age)
