"""How PostgreSQL finds what is due: by the partial index, whatever lies beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from cases.follow_ups import BATCH, RECORD_BATCH
from tests.cases.factories import ClientFactory

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

# Half have ended, the other half waits; every hundredth is due.
MANY_CASES = """
INSERT INTO cases_case (
    id, client_id, client_reference_id, channel, objective, client_webhook_url, counterparty_name, counterparty_address,
    counterparty_company, counterparty_timezone, persona_name, persona_role, persona_company, persona_tone, status,
    max_attempts, follow_up_delay_hours, attempt_count, follow_ups_sent, snoozes_in_a_row, next_action, next_action_at,
    due_at, clock_offset, clock_moves, result_status, failure_reason, inbox_id, thread_id, created_at, updated_at)
SELECT gen_random_uuid(), %(client)s, '', 'EMAIL', 'Collect a W-9', '', 'Maya', 'maya@northstar.example', '', '', 'Ana',
       '', '', '', CASE WHEN due IS NULL THEN 'COMPLETED' ELSE 'RUNNING' END, 3, 72, 1, 0, 0,
       CASE WHEN due IS NULL THEN '' ELSE 'follow_up' END, due, due, interval '0', '[]',
       CASE WHEN due IS NULL THEN 'goal_achieved' ELSE '' END, '', '', '', %(now)s, %(now)s
  FROM generate_series(1, 10000) AS n,
       LATERAL (SELECT CASE WHEN n %% 2 = 0 THEN %(now)s - interval '1 hour'
                            + CASE WHEN n %% 100 = 0 THEN interval '0' ELSE interval '2 days' END END) AS made (due)
"""


@pytest.fixture
def _many_cases(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY_CASES, {"client": ClientFactory.create().id, "now": NOW})
        cursor.execute("ANALYZE cases_case")


def list_scans(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns every node of the plan that reads the cases, with the index it reads them by."""
    found = [(plan["Node Type"], plan.get("Index Name", ""))] if "Scan" in plan["Node Type"] else []
    found = [scan for scan in found if plan.get("Relation Name") == "cases_case" or scan[1].startswith("case_")]
    return found + [scan for part in plan.get("Plans", []) for scan in list_scans(part)]


@pytest.mark.parametrize("hours_swept", [None, 2], ids=["the first batch", "a later batch"])
@pytest.mark.usefixtures("_many_cases")
def test_a_batch_of_the_sweep_reads_nothing_but_the_partial_index_of_what_is_due(hours_swept: int | None) -> None:
    after = NOW - timedelta(hours=hours_swept) if hours_swept else datetime.min.replace(tzinfo=UTC)
    values: dict[str, Any] = {"now": NOW, "due": after, "id": UUID(int=0), "limit": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {RECORD_BATCH}", values)
        answer = cursor.fetchone()[0]

    scans = list_scans((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"])

    assert {index for node, index in scans if "Index" in node} == {"case_due"}
    assert "Seq Scan" not in {node for node, _ in scans}
