"""What Prometheus reads: numbers of all processes, for who may see them, at a cost that does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from cases.spending import AgentTotal
from offload import metrics
from offload.metrics import COLLECTORS, MetricsPage

TOKEN = "a-token-for-prometheus"
LABELS = {"implementation": "model", "model": "anthropic:claude", "operation": "evaluate", "outcome": "SNOOZE"}


@pytest.fixture(autouse=True)
def _fresh_page() -> Iterator[None]:
    metrics.PAGE.forget()
    yield
    metrics.PAGE.forget()


@pytest.fixture
def total(db: None) -> AgentTotal:
    return AgentTotal.objects.create(
        **LABELS,
        calls=3,
        tokens_in=3000,
        tokens_out=150,
        cost_usd=Decimal("0.0225"),
        reasks=1,
        guard_hits=2,
        latency_ms=4500,
    )


def read_samples(text: str) -> dict[tuple[str, str], float]:
    """Returns each number by its name and the direction of its tokens."""
    return {
        (sample.name, sample.labels.get("direction", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_count_of_a_kind_of_call_is_shown_with_its_labels(total: AgentTotal, client: Client) -> None:
    answer = client.get("/metrics")

    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, metrics.CONTENT_TYPE)
    assert read_samples(text) == {
        ("offload_agent_calls_total", ""): 3.0,
        ("offload_agent_tokens_total", "in"): 3000.0,
        ("offload_agent_tokens_total", "out"): 150.0,
        ("offload_agent_cost_usd_total", ""): 0.0225,
        ("offload_agent_seconds_total", ""): 4.5,
        ("offload_agent_reasks_total", ""): 1.0,
        ("offload_agent_guard_hits_total", ""): 2.0,
    }
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["offload_agent_calls"].samples[0].labels == LABELS


@pytest.mark.parametrize(("header", "status"), [(f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), ("", 401)])
def test_with_a_token_set_only_its_bearer_gets_in(
    total: AgentTotal, client: Client, settings: Any, header: str, status: int
) -> None:
    settings.OFFLOAD_METRICS_TOKEN = TOKEN

    answer = client.get("/metrics", headers={"Authorization": header})

    assert answer.status_code == status
    assert (b"offload_agent" in answer.content) == (status == 200)


def test_a_production_without_a_token_has_no_such_page(total: AgentTotal, client: Client, settings: Any) -> None:
    settings.OFFLOAD_MODE = "production"

    answer = client.get("/metrics")

    assert answer.status_code == 404
    assert answer.json()["ok"] is False


def test_readers_within_fifteen_seconds_share_one_query(total: AgentTotal, django_assert_num_queries: Any) -> None:
    clock = [100.0]
    page = MetricsPage(COLLECTORS, clock=lambda: clock[0])
    with django_assert_num_queries(1):
        first = page.render()
        clock[0] += 14.9
        second = page.render()
    AgentTotal.objects.filter(pk=total.pk).update(calls=4)
    clock[0] += 0.1

    third = page.render()

    assert first == second
    assert b"} 4.0" in third
