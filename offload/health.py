"""Whether this web process lives and whether it can do its work; must not cost more than a request does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error, connection
from django.http import JsonResponse
from kombu.exceptions import OperationalError

from cases.api.errors import make_envelope
from offload.celery import app

if TYPE_CHECKING:
    from django.http import HttpRequest

# However many probes ask, the queue is asked once in this time.
QUEUE_ANSWER_HOLDS_S = 3.0

_queue_asked_at = float("-inf")
_queue_was_up = False


def answer_livez(_request: HttpRequest) -> JsonResponse:
    """Returns 200 as long as the process answers at all: restart it when it does not."""
    return JsonResponse({"ok": True})


def answer_readyz(_request: HttpRequest) -> JsonResponse:
    """Returns 200 when database and queue answer, or 503 NOT_READY with one detail per part that does not.

    For people and alerts. A load balancer routes by /livez: without the queue the API still takes every request,
    and the cases go on when it is back.
    """
    down = [part for part, is_up in (("database", _is_database_up()), ("queue", _is_queue_up())) if not is_up]
    if not down:
        return JsonResponse({"ok": True, "data": {"database": "up", "queue": "up"}})
    details = [{"field": part, "message": f"The {part} does not answer."} for part in down]
    message = f"Not ready, because this does not answer: {', '.join(down)}."
    return JsonResponse(make_envelope("NOT_READY", message, details), status=503)


def _is_database_up() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def _is_queue_up() -> bool:
    global _queue_asked_at, _queue_was_up
    if time.monotonic() - _queue_asked_at >= QUEUE_ANSWER_HOLDS_S:
        _queue_was_up = _ask_queue()
        _queue_asked_at = time.monotonic()
    return _queue_was_up


def _ask_queue() -> bool:
    # Through the pool that publishes, so with its timeouts: at most about two seconds.
    with app.connection_or_acquire() as queue_connection:
        try:
            queue_connection.default_channel.queue_declare(queue=settings.CELERY_TASK_DEFAULT_QUEUE, passive=True)
        except (OperationalError, *queue_connection.connection_errors):
            return False
    return True
