"""One sweep in a process of its own, so that its memory can be told: `python -m bench.sweep_process WHAT NOW`.

Prints one line of JSON. Must not be imported: it sets Django up.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import datetime, timedelta
from statistics import median

import django

django.setup()

from django.db import connection  # noqa: E402

from cases.follow_ups import record_due_events  # noqa: E402
from cases.tasks import sweep_follow_ups  # noqa: E402

TIMES_NOTHING = 20


def measure_recording(now: datetime) -> dict[str, float]:
    """Times the recording alone; `events` is how many it recorded."""
    started = time.perf_counter()
    events = sum(1 for _ in record_due_events(now))
    return {"seconds": time.perf_counter() - started, "events": events}


def measure_nothing(now: datetime) -> dict[str, float]:
    """Times a sweep that finds nothing due, the median of several."""
    results = [measure_recording(now - timedelta(days=30)) for _ in range(TIMES_NOTHING)]
    return {"seconds": median(one["seconds"] for one in results), "events": sum(one["events"] for one in results)}


def measure_task(_: datetime) -> dict[str, float]:
    """Times the whole task as Celery runs it, nudges included."""
    started = time.perf_counter()
    sweep_follow_ups()
    return {"seconds": time.perf_counter() - started}


WHAT = {"record": measure_recording, "nothing": measure_nothing, "task": measure_task}

if __name__ == "__main__":
    connection.ensure_connection()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured = WHAT[sys.argv[1]](datetime.fromisoformat(sys.argv[2]))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(measured | {"rss_before_mb": before_kb / 1024, "rss_peak_mb": peak_kb / 1024}))
