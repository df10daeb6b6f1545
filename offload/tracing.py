"""Gives each request an id and takes its time; must cost next to nothing, for every POST /cases pays it.

The id is the caller's own X-Request-ID if it is well-formed. It comes back in the answer and stands in every line that
is logged meanwhile, and so does the case that the address names.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars

from offload.latency import name_route, observe

logger = logging.getLogger(__name__)

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}", re.ASCII)


class TracingMiddleware:
    """The outermost middleware: what it does not see, such as a request that Django cannot build, has no id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answers as the rest of the application does, with X-Request-ID."""
        started = time.perf_counter()
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _WELL_FORMED.fullmatch(given) else uuid4().hex
        # A thread serves one request after the other: nothing of the last one may stay. What this binds stays until
        # then, because Django logs a refusal when all middleware has ended.
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        seconds = time.perf_counter() - started
        route = name_route(request)
        observe(request.method or "", route, response.status_code, seconds)
        if settings.OFFLOAD_LOG_REQUESTS:
            logger.info("%s %s: %d in %.0f ms", request.method, route, response.status_code, seconds * 1000)
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        """Binds the case that the address names."""
        if "case_id" in kwargs:
            bind_contextvars(case_id=str(kwargs["case_id"])[:36])
