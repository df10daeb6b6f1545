"""Whether beat and workers live, as they said themselves; must not name a host."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client.core import Metric

from offload.collecting.asking import gauge
from offload.models import Pulse
from offload.pulses import read_pulses


def collect_processes() -> Iterator[Metric]:
    """Yields the age of the beat's pulse, the workers that live, and when any of them reached the queue."""
    heard = read_pulses()
    beat = min((one.age_s for one in heard if one.kind == Pulse.BEAT), default=math.inf)
    workers = [one for one in heard if one.kind == Pulse.WORKER and one.lives]
    # What a worker said was so old when it said it, and has aged since: both are in it.
    polls = [one.poll_age_s for one in workers if one.poll_age_s is not None]
    yield gauge("offload_beat_seconds", "Since the beat that leads was heard of; +Inf when none was for a day.", beat)
    yield gauge("offload_workers", "Workers that were heard of within 35 seconds.", len(workers))
    poll = min(polls, default=math.inf)
    yield gauge("offload_worker_poll_seconds", "Since the queue last answered any worker.", poll)
