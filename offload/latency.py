"""How long requests took, for all processes of one gunicorn; must not label by anything that a caller may choose.

The one number that lives in the memory of web processes, because a statement for each request would cost more than
the request. Under gunicorn every process keeps its part in a file (offload/serving.py), and each can tell the sum.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from django.http import HttpRequest
    from prometheus_client.core import Metric

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LABELS = ("method", "route", "status")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Their parts are no series of their own: they are many, and their requests few.
PAGES = ("admin/", "sandbox/")

_registry = CollectorRegistry()
_seconds = Histogram(
    "offload_request_seconds",
    "Time from a request's first middleware to its answer.",
    LABELS,
    buckets=BUCKETS_S,
    registry=_registry,
)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Counts one answered request."""
    _get_series(method if method in METHODS else "other", route, status // 100).observe(seconds)


# Bounded by the routes, methods and classes there are; `labels` itself takes a lock and builds its key anew.
@cache
def _get_series(method: str, route: str, status_class: int) -> Any:
    return _seconds.labels(method, route, f"{status_class}xx")


def name_route(request: HttpRequest) -> str:
    """Returns the pattern that matched, without what the caller put in its place; "unknown" when none did."""
    match = request.resolver_match
    if match is None:
        return "static" if request.path_info.startswith(settings.STATIC_URL) else "unknown"
    return _shorten(match.route)


@cache
def _shorten(route: str) -> str:
    return next((page for page in PAGES if route.startswith(page)), f"/{route}".replace("//", "/"))


def collect_request_times() -> Iterable[Metric]:
    """Returns the histogram of all processes that share this one's directory, or of this one alone without such."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        collector: Any = MultiProcessCollector
        return cast("Iterable[Metric]", collector(CollectorRegistry()).collect())
    return _registry.collect()
