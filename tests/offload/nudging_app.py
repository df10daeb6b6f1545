"""A web process that does nothing but nudge, for tests: the product's own sender in a real gunicorn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import django

from webhooks.nudge import send_in_background, send_nudge

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

django.setup()
send_in_background()
NUDGES = 25


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Nudges 25 times and answers at once."""
    taken = [send_nudge("queue_app.nothing", UUID(int=number)) for number in range(NUDGES)]
    start_response("200 OK", [("Content-Length", "2")])
    return [str(sum(taken)).encode()]
