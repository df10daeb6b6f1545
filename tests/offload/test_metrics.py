"""The page for Prometheus: who may see it, what a fault of one part does to the others, and how long it may take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from cases.spending import AgentTotal
from offload import metrics
from offload.collecting import queue
from offload.collecting.asking import gauge
from offload.looking import Look
from offload.metrics import COLLECTORS, collect_agent_metrics, render

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


def read_errors(text: str) -> dict[str, float]:
    """Returns 1 for each part that could not be read."""
    return {
        sample.labels["part"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "offload_scrape_error"
    }


def test_every_count_of_a_kind_of_call_is_shown_with_its_labels(total: AgentTotal) -> None:
    families = {metric.name: metric for metric in collect_agent_metrics()}

    found = {
        (sample.name, sample.labels.get("direction", "")): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found == {
        ("offload_agent_calls_total", ""): 3.0,
        ("offload_agent_tokens_total", "in"): 3000.0,
        ("offload_agent_tokens_total", "out"): 150.0,
        ("offload_agent_cost_usd_total", ""): 0.0225,
        ("offload_agent_seconds_total", ""): 4.5,
        ("offload_agent_reasks_total", ""): 1.0,
        ("offload_agent_guard_hits_total", ""): 2.0,
    }
    assert families["offload_agent_calls"].samples[0].labels == LABELS


@pytest.mark.django_db(transaction=True)
def test_the_page_answers_with_every_part_and_a_dead_queue_is_told_as_such(client: Client) -> None:
    # The tests' queue refuses every connection. Late is not down, so the first answer is awaited here.
    with pytest.raises(Exception, match="SQS"):
        queue.LOOK.get(30)

    answer = client.get("/metrics")

    text = answer.content.decode()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, metrics.CONTENT_TYPE)
    assert read_errors(text) == {part: float(part == "queue") for part in COLLECTORS}
    assert "\noffload_queue_up 0.0\n" in text


@pytest.mark.parametrize(("header", "status"), [(f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), ("", 401)])
@pytest.mark.django_db(transaction=True)
def test_with_a_token_set_only_its_bearer_gets_in(client: Client, settings: Any, header: str, status: int) -> None:
    settings.OFFLOAD_METRICS_TOKEN = TOKEN

    answer = client.get("/metrics", headers={"Authorization": header})

    assert answer.status_code == status
    assert (b"offload_cases" in answer.content) == (status == 200)


def test_a_production_without_a_token_has_no_such_page(client: Client, settings: Any) -> None:
    settings.OFFLOAD_MODE = "production"

    answer = client.get("/metrics")

    assert answer.status_code == 404
    assert answer.json()["ok"] is False


def test_a_part_that_fails_is_named_and_takes_nothing_else_away() -> None:
    def fail_halfway() -> Iterator[Metric]:
        yield gauge("offload_before", "Yielded before the error.", 1)
        raise RuntimeError("with a secret in it")

    def work() -> Iterator[Metric]:
        yield gauge("offload_other", "Another part's.", 2)

    text = render({"broken": fail_halfway, "sound": work}).decode()

    assert read_errors(text) == {"broken": 1.0, "sound": 0.0}
    assert "\noffload_before 1.0\n" in text
    assert "\noffload_other 2.0\n" in text
    assert "secret" not in text


def test_a_page_that_hangs_is_answered_in_time_and_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(metrics, "PAGE", Look(lambda: may_end.wait(30) and b"", holds_s=15))
    monkeypatch.setattr(metrics, "WAIT_S", 0.05)

    answer = client.get("/metrics")

    may_end.set()
    assert answer.status_code == 200
    assert read_errors(answer.content.decode()) == {"all": 1.0}


@pytest.mark.django_db(transaction=True)
def test_readers_within_fifteen_seconds_share_one_page(client: Client) -> None:
    first = client.get("/metrics").content
    client.get("/livez")
    second = client.get("/metrics").content

    assert first == second
