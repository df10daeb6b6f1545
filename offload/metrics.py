"""The page that Prometheus reads; must not show what a case holds, nor fail as a whole where a part of it does.

Several web processes answer and workers do the work, so a number in the memory of one of them would be a part of the
truth: every number but the times of requests comes from the database or the queue, at most once in 15 seconds a
process. To add some, write a function that yields metrics and name it in COLLECTORS, with its name in
docs/monitoring.md.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cases.api.errors import make_envelope
from cases.spending import AgentTotal
from offload.collecting.cases import collect_cases, collect_events, collect_follow_ups
from offload.collecting.deliveries import collect_deliveries
from offload.collecting.mail import collect_mail, collect_mail_account
from offload.collecting.processes import collect_processes
from offload.collecting.queue import collect_queue
from offload.latency import collect_request_times
from offload.looking import Look, NoAnswer

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HOLDS_S = 15.0
# A page that takes longer is made to the end all the same, and serves the next reader.
WAIT_S = 3.0
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


# By the name that `offload_scrape_error` tells.
COLLECTORS: Mapping[str, Collect] = {
    "requests": collect_request_times,
    "cases": collect_cases,
    "events": collect_events,
    "follow-ups": collect_follow_ups,
    "mail": collect_mail,
    "mail account": collect_mail_account,
    "deliveries": collect_deliveries,
    "processes": collect_processes,
    "agent": collect_agent_metrics,
    "queue": collect_queue,
}


class _Together(Collector):
    """All parts, each on its own: what one yielded before it failed stays, and the others come whole."""

    def __init__(self, collectors: Mapping[str, Collect], clock: Callable[[], float]) -> None:
        self._collectors = collectors
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        errors = GaugeMetricFamily("offload_scrape_error", "1 where a part could not be read.", labels=("part",))
        seconds = GaugeMetricFamily("offload_scrape_seconds", "What reading a part took.", labels=("part",))
        for part, collect in self._collectors.items():
            started, found = self._clock(), []
            try:
                # One by one: what came before an error counts.
                for metric in collect():
                    found.append(metric)  # noqa: PERF402
                errors.add_metric([part], 0)
            except Exception as error:
                logger.warning("The metrics of %s could not be read: %s", part, type(error).__name__)
                errors.add_metric([part], 1)
            seconds.add_metric([part], self._clock() - started)
            yield from found
        yield from (errors, seconds)

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []


def render(collectors: Mapping[str, Collect], clock: Callable[[], float] = time.monotonic) -> bytes:
    """Returns what the collectors yield in Prometheus' text format. A part that fails tells so, and never raises."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Together(collectors, clock))
    return generate_latest(registry)


# Where the database hangs, this says so in time.
TOO_LATE = b"""# HELP offload_scrape_error 1 where a part could not be read.
# TYPE offload_scrape_error gauge
offload_scrape_error{part="all"} 1.0
"""
PAGE = Look(lambda: render(COLLECTORS), holds_s=HOLDS_S)


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
        page = PAGE.get(WAIT_S)
    except NoAnswer:
        page = TOO_LATE
    return HttpResponse(page, content_type=CONTENT_TYPE)
