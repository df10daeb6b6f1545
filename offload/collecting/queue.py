"""How much lies in the queue and its dead-letter queue; must not receive, nor wait for a queue that hangs."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from offload.collecting.asking import gauge
from offload.looking import Look, NoAnswer
from offload.queues import Depths, Queues

HOLDS_S = 15.0
# One answer takes milliseconds; the first one of a process loads boto3 and may come too late for its scrape.
WAIT_S = 0.4


def _ask() -> Depths:
    return Queues().read_depths()


LOOK = Look(_ask, holds_s=HOLDS_S)


def collect_queue() -> Iterator[Metric]:
    """Yields whether the queue answers, and what lies in it. Raises nothing of a queue that does not."""
    try:
        depths = LOOK.get(WAIT_S)
    except NoAnswer:
        # Late is not down: what the asking ends in is told by the next scrape.
        raise
    except Exception:
        yield gauge("offload_queue_up", "Whether the queue told what lies in it.", 0)
        raise
    yield gauge("offload_queue_up", "Whether the queue told what lies in it.", 1)
    messages = GaugeMetricFamily(
        "offload_queue_messages", "Messages, as SQS approximates them.", labels=("queue", "state")
    )
    for queue, state, value in (
        ("main", "visible", depths.visible),
        ("main", "in flight", depths.in_flight),
        ("dead", "visible", depths.dead),
    ):
        if value is not None:
            messages.add_metric([queue, state], value)
    yield messages
