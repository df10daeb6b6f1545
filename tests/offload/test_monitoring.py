"""Alert rules, dashboard and page name the metrics that exist, and every alert has its entry in the runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric

from agentmail.models import AccountCheck, ProviderEvent
from cases.spending import AgentTotal
from offload.collecting import queue
from offload.latency import observe
from offload.metrics import COLLECTORS, render
from offload.queues import Depths
from offload.settings import BASE_DIR
from tests.cases.factories import OPENED_AT

DOCS = BASE_DIR / "docs"
ALERTS = DOCS / "monitoring" / "alerts.yml"
NAME = re.compile(r"offload_[a-z_]+")
# What a histogram's name ends with, once it is asked for.
PARTS_OF_HISTOGRAM = ("_bucket", "_count", "_sum")


@pytest.fixture
def existing(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The names of all metrics, as they are asked for, each with its labels."""
    AgentTotal.objects.create(implementation="model", model="m", operation="evaluate", outcome="SNOOZE")
    ProviderEvent.objects.create(event_id="1", svix_id="1", kind="evidence", payload={}, received_at=OPENED_AT)
    AccountCheck.objects.create(part="key", is_known=True, checked_at=OPENED_AT)

    observe("GET", "/livez", 200, 0.001)

    class Answered:
        def get(self, _wait_s: float) -> Depths:
            return Depths(1, 1, 1)

    monkeypatch.setattr(queue, "LOOK", Answered())
    found: dict[str, set[str]] = {}

    def keep(metric: Metric) -> None:
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = {label for sample in metric.samples for label in sample.labels}
        found[name] = labels - {"le"} or found.get(name, set())

    from_parts: list[Metric] = [metric for collect in COLLECTORS.values() for metric in collect()]
    for metric in from_parts:
        keep(metric)
    text = render({}).decode()
    for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE):
        found[name] = {"part"}
    return found


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def read_expressions() -> dict[str, str]:
    """Returns every expression of the rules and the dashboard, by where it stands."""
    board = json.loads((DOCS / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }
    return panels | {rule["alert"]: rule["expr"] for rule in read_rules()}


def find_metric(name: str, existing: dict[str, set[str]]) -> str | None:
    candidates = [name, *(name.removesuffix(part) for part in PARTS_OF_HISTOGRAM if name.endswith(part))]
    return next((candidate for candidate in candidates if candidate in existing), None)


def test_rules_and_dashboard_name_only_metrics_and_labels_that_exist(existing: dict[str, set[str]]) -> None:
    unknown = []
    for place, expression in read_expressions().items():
        for name, selector in re.findall(r"(offload_[a-z_]+)(?:\{([^}]*)\})?", expression):
            metric = find_metric(name, existing)
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector))
            if metric is None or labels - existing[metric] - {"le"}:
                unknown.append(f"{place}: {name}{labels or ''}")

    assert unknown == []


def test_the_page_lists_every_metric_with_its_labels_and_no_other(existing: dict[str, set[str]]) -> None:
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(offload_[a-z_]+)` \|([^|]*)\|", page, re.MULTILINE))

    assert set(rows) == set(existing)
    as_calls = existing["offload_agent_calls_total"]
    for name, cell in rows.items():
        told = set(re.findall(r"`(\w+)`", cell)) | (as_calls if "as calls" in cell or "the same" in cell else set())
        assert told == existing[name], name


def test_the_dashboard_shows_every_metric(existing: dict[str, set[str]]) -> None:
    shown = {
        find_metric(name, existing) for expression in read_expressions().values() for name in NAME.findall(expression)
    }

    assert set(existing) - shown == set()


def test_every_alert_says_how_long_how_bad_and_what_to_do() -> None:
    runbook = (DOCS / "operations.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^### (Offload\w+)\n\n(.+)", runbook, re.MULTILINE))

    rules = {rule["alert"]: rule for rule in read_rules()}
    assert list(entries) == list(rules)
    for name, rule in rules.items():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, name
        assert re.fullmatch(r"\d+[mh]", rule["for"]), name
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"


@pytest.mark.parametrize(("place", "expression"), sorted(read_expressions().items()))
def test_an_expression_is_whole(place: str, expression: str) -> None:
    bare = re.sub(r'"[^"]*"', "", expression)
    for opening, closing in ("()", "{}", "[]"):
        assert bare.count(opening) == bare.count(closing), place
    # Every process tells the same number of database and queue: one without max or min would stand there many times.
    assert re.match(r"(max|min|sum|histogram_quantile|up|3600 \*)", expression), place


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")

    checked = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_the_files_are_where_the_page_says() -> None:
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")

    for target in re.findall(r"\]\((monitoring/[\w.]+)\)", page):
        assert (Path(DOCS) / target).is_file()
