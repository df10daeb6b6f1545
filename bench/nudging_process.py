"""Nudges every case that has a ready event, as a sweep does: `python -m bench.nudging_process`; records nothing."""

from __future__ import annotations

import sys

import django

django.setup()

from cases.models import CaseEvent  # noqa: E402
from cases.nudge import nudge_all  # noqa: E402

if __name__ == "__main__":
    waiting = list(CaseEvent.objects.filter(status="ready").values_list("case_id", flat=True))
    if (sent := nudge_all(waiting)) != len(waiting):
        sys.exit(f"the queue took {sent} of {len(waiting)} nudges")
