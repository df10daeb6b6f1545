"""Client webhooks in numbers; must not name a client or an address."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from offload.collecting.asking import ask, count, gauge
from webhooks.totals import read_totals

# What a paused endpoint holds is due in the year 9999, so it is in neither.
DUE = "state = 'pending' AND next_attempt_at <= now()"
RETRYING = "state = 'pending' AND next_attempt_at > now() AND tries > 0 AND held_by_id IS NULL"
OLDEST = f"""
    SELECT coalesce(extract(epoch FROM now() - min(next_attempt_at)), 0)
      FROM webhooks_delivery WHERE {DUE}
"""  # noqa: S608


def collect_deliveries() -> Iterator[Metric]:
    """Yields the attempts by outcome since the installation began, what is due, waits or is held, paused endpoints."""
    attempts = CounterMetricFamily("offload_webhook_attempts", "Attempts of client webhooks.", labels=("outcome",))
    for outcome, made in sorted(read_totals().items()):
        attempts.add_metric([outcome], made)
    yield attempts
    yield gauge("offload_deliveries_due", "Client webhooks whose turn has come.", count("webhooks_delivery", DUE))
    ((age,),) = ask(OLDEST)
    yield gauge("offload_oldest_delivery_seconds", "How long the oldest due webhook has waited.", float(age))
    retrying = count("webhooks_delivery", RETRYING)
    yield gauge("offload_deliveries_retrying", "Client webhooks that failed and wait for their next attempt.", retrying)
    held = count("webhooks_delivery", "held_by_id IS NOT NULL")
    yield gauge("offload_deliveries_held", "Client webhooks that wait for a paused endpoint.", held)
    paused = count("webhooks_endpoint", "paused_at IS NOT NULL")
    yield gauge("offload_paused_endpoints", "Clients' endpoints that get nothing after days of failure.", paused)
