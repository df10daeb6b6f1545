"""Counts ended attempts for good, in rows that are few; must not count anything that a deletion would change."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.db.models import Sum

from webhooks.models import DeliveryTotal
from webhooks.outcomes import AttemptOutcome

PARTS = 16

COUNT = """
    INSERT INTO webhooks_deliverytotal (outcome, part, attempts) VALUES (%(outcome)s, %(part)s, 1)
    ON CONFLICT (outcome, part) DO UPDATE SET attempts = webhooks_deliverytotal.attempts + 1
"""


def count_attempt(delivery_id: UUID, outcome: AttemptOutcome) -> None:
    """Counts one attempt that has ended. The last thing in a transaction, because others wait for its row."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"outcome": outcome.value, "part": delivery_id.int % PARTS})


def read_totals() -> dict[str, int]:
    """Returns how many attempts ended in each outcome since the installation began."""
    counted = DeliveryTotal.objects.values_list("outcome").annotate(Sum("attempts"))
    known = {outcome.value: 0 for outcome in AttemptOutcome if outcome}
    return known | {outcome: int(attempts) for outcome, attempts in counted}
