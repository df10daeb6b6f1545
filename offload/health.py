"""Whether this web process lives and whether it can do its work; must not cost more than a request does, or hang.

Ready means that this process can serve: the database answers, and its tables are those of this code. The queue and the
beat are told and decide nothing, because without them the API still takes every request, and the cases go on when they
are back. A balancer that took every web process out for a dead queue would turn a delay into an outage.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError

from cases.api.errors import make_envelope
from offload.celery import app
from offload.looking import Look
from offload.models import Pulse
from offload.pulses import read_pulses

if TYPE_CHECKING:
    from django.http import HttpRequest

# However many probes ask, database and queue are asked once in this time.
ANSWER_HOLDS_S = 3.0
# The two are asked at once, so a probe takes no longer than this.
LONGEST_WAIT_S = 2.5
DECISIVE = ("database", "migrations")
NO_DATABASE = "The database does not answer."
NO_QUEUE = "The queue does not answer. Cases are taken and wait; see docs/operations.md."
NO_BEAT = "No beat runs, so nothing that is due later is begun. Start one: celery -A offload beat --pidfile="


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database told: the migrations it lacks, and whether a beat was heard of lately."""

    missing: list[str]
    has_beat: bool


@csrf_exempt
def answer_livez(request: HttpRequest) -> JsonResponse:
    """Returns 200 as long as the process answers at all: restart it when it does not."""
    return _refuse_method(request) or JsonResponse({"ok": True})


@csrf_exempt
def answer_readyz(request: HttpRequest) -> JsonResponse:
    """Returns 200 with the state of each part, or 503 NOT_READY when database or migrations are at fault.

    Each part is "up", "down", or "unknown" when the database that would know does not answer; `reasons` tells why.
    Answers within 2.5 seconds, whatever hangs.
    """
    if refusal := _refuse_method(request):
        return refusal
    reasons = _find_reasons()
    states = {part: "down" if part in reasons else "up" for part in ("database", "migrations", "queue", "beat")}
    if "database" in reasons:
        states |= {"migrations": "unknown", "beat": "unknown"}
    if not any(part in reasons for part in DECISIVE):
        return JsonResponse({"ok": True, "data": {**states, **({"reasons": reasons} if reasons else {})}})
    details = [{"field": part, "message": reason} for part, reason in reasons.items()]
    message = f"Not ready: {', '.join(part for part in DECISIVE if part in reasons)}. See details."
    return JsonResponse(make_envelope("NOT_READY", message, details), status=503)


def _find_reasons() -> dict[str, str]:
    """Returns a sentence for each part that is at fault, without what a driver says: that names hosts and users."""
    database.begin()
    queue.begin()
    # Both are asked since now, so what the first takes is no loss to the second. A first answer reads every migration.
    until = time.monotonic() + LONGEST_WAIT_S
    reasons = {}
    try:
        stored = database.get(LONGEST_WAIT_S)
    except Exception:
        reasons["database"] = NO_DATABASE
    else:
        if stored.missing:
            reasons["migrations"] = f"Not applied: {', '.join(stored.missing)}. Run: manage.py migrate"
        if not stored.has_beat:
            reasons["beat"] = NO_BEAT
    try:
        queue.get(max(until - time.monotonic(), 0))
    except Exception:
        reasons["queue"] = NO_QUEUE
    return reasons


def _ask_database() -> Stored:
    missing = _list_missing_migrations()
    return Stored(missing, missing == [] and any(heard.lives for heard in read_pulses() if heard.kind == Pulse.BEAT))


def _list_missing_migrations() -> list[str]:
    """Returns the first migrations that this code has and the database lacks; the other way round is no fault."""
    global _has_all_migrations
    if _has_all_migrations:
        return []
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    _has_all_migrations = not plan
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3]]


def _ask_queue() -> None:
    # Through the pool that publishes, so with its timeouts: at most about two seconds.
    with app.connection_or_acquire() as queue_connection:
        try:
            queue_connection.default_channel.queue_declare(queue=settings.CELERY_TASK_DEFAULT_QUEUE, passive=True)
        except queue_connection.connection_errors as error:
            raise OperationalError(str(error)) from error


def _refuse_method(request: HttpRequest) -> JsonResponse | None:
    if request.method in ("GET", "HEAD"):
        return None
    refusal = make_envelope("METHOD_NOT_ALLOWED", "This address takes GET only.")
    return JsonResponse(refusal, status=405, headers={"Allow": "GET, HEAD"})


# What was applied once stays applied, so a good answer holds as long as the process; to read all files takes 0.1 s.
_has_all_migrations = False
database = Look(_ask_database, holds_s=ANSWER_HOLDS_S)
queue = Look(_ask_queue, holds_s=ANSWER_HOLDS_S)
