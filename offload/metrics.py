"""Counts for Prometheus, read from the database; must not count in a process's memory, nor show what a case holds.

Several web processes answer and workers do the counting, so a number in the memory of one of them would be a part of
the truth. Every number comes from rows of totals that are few by their nature, at most once in 15 seconds a process.
To add some, write a function that yields metrics and name it in COLLECTORS.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.conf import settings
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from cases.api.errors import make_envelope
from cases.spending import AgentTotal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HOLDS_S = 15.0
AGENT_LABELS = ("implementation", "model", "operation", "outcome")

Collect = Callable[[], Iterable[Metric]]


def collect_agent_metrics() -> Iterator[Metric]:
    """Yields what asking the agent took since the installation began; one query over a row for each kind of call."""
    calls = CounterMetricFamily("offload_agent_calls", "Calls of the agent.", labels=AGENT_LABELS)
    tokens = CounterMetricFamily("offload_agent_tokens", "Tokens of models.", labels=(*AGENT_LABELS, "direction"))
    cost = CounterMetricFamily("offload_agent_cost_usd", "US dollars, where the price is known.", labels=AGENT_LABELS)
    seconds = CounterMetricFamily("offload_agent_seconds", "Time that calls took.", labels=AGENT_LABELS)
    reasks = CounterMetricFamily("offload_agent_reasks", "Faults a model was asked to mend.", labels=AGENT_LABELS)
    hits = CounterMetricFamily("offload_agent_guard_hits", "What code held back of an answer.", labels=AGENT_LABELS)
    for total in AgentTotal.objects.order_by("id"):
        kind = [total.implementation, total.model, total.operation, total.outcome]
        calls.add_metric(kind, total.calls)
        tokens.add_metric([*kind, "in"], total.tokens_in)
        tokens.add_metric([*kind, "out"], total.tokens_out)
        cost.add_metric(kind, float(total.cost_usd))
        seconds.add_metric(kind, total.latency_ms / 1000)
        reasks.add_metric(kind, total.reasks)
        hits.add_metric(kind, total.guard_hits)
    yield from (calls, tokens, cost, seconds, reasks, hits)


COLLECTORS: tuple[Collect, ...] = (collect_agent_metrics,)


class _Together(Collector):
    def __init__(self, collectors: Sequence[Collect]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collect in self._collectors:
            yield from collect()

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []


class MetricsPage:
    """The page of one process. It asks the database again only when its answer is 15 seconds old."""

    def __init__(self, collectors: Sequence[Collect], clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Together(collectors))
        self._clock = clock
        self._guard = threading.Lock()
        self._page = b""
        self._made_at = float("-inf")

    def render(self) -> bytes:
        """Returns the page in Prometheus' text format; raises django.db.Error when the database does not answer."""
        with self._guard:
            if self._clock() - self._made_at >= HOLDS_S:
                self._page = generate_latest(self._registry)
                self._made_at = self._clock()
            return self._page

    def forget(self) -> None:
        """Makes the next reader get fresh numbers."""
        self._made_at = float("-inf")


PAGE = MetricsPage(COLLECTORS)


def answer_metrics(request: HttpRequest) -> HttpResponse:
    """Returns the numbers to who brings OFFLOAD_METRICS_TOKEN as a bearer token; without one set, in local mode only.

    They tell how much business is done, so an installation without the token has no such route (404).
    """
    token = settings.OFFLOAD_METRICS_TOKEN
    if not token and settings.OFFLOAD_MODE != "local":
        raise Http404
    given = request.headers.get("Authorization", "")
    if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        refusal = make_envelope("UNAUTHORIZED", "Send OFFLOAD_METRICS_TOKEN as a bearer token.")
        return JsonResponse(refusal, status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        return HttpResponse(PAGE.render(), content_type=CONTENT_TYPE)
    except Error:
        return JsonResponse(make_envelope("NOT_READY", "The database does not answer."), status=503)
