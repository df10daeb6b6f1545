"""Every request has an id, which its answer and all its log lines carry, and is counted by its route."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from offload.latency import collect_request_times
from offload.logs import make_formatter
from offload.redaction import RedactionFilter


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the root logger writes meanwhile, in JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(make_formatter("json"))
    handler.addFilter(RedactionFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def read_counts() -> dict[tuple[str, ...], float]:
    """Returns how many requests were counted, by method, route and class."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for metric in collect_request_times()
        for sample in metric.samples
        if sample.name.endswith("_count")
    }


def test_a_well_formed_id_of_the_caller_comes_back(client: Client) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": "Root=1-67891233-abcdef"})

    assert answer.headers["X-Request-ID"] == "Root=1-67891233-abcdef"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "a\x00b", "naïve", '{"json":1}'])
def test_any_other_id_is_replaced_by_one_of_ours(client: Client, given: str) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": given})

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.django_db
def test_a_line_that_is_logged_meanwhile_carries_request_and_case_and_no_other_requests(
    client: Client, written: io.StringIO
) -> None:
    case_id = "58be9751-300c-40b4-a9ca-88a21e3d18d6"

    client.post(f"/cases/{case_id}/nothing", headers={"X-Request-ID": "one"})
    client.get(f"/cases/{case_id}", headers={"X-Request-ID": "two"})
    client.get("/nothing", headers={"X-Request-ID": "three"})

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    told = {line["message"]: (line.get("request_id"), line.get("case_id")) for line in lines}
    assert told[f"Not Found: /cases/{case_id}/nothing"] == ("one", None)
    assert told[f"Unauthorized: /cases/{case_id}"] == ("two", case_id)
    assert told["Not Found: /nothing"] == ("three", None)


def test_a_request_is_logged_when_that_is_asked_for(client: Client, written: io.StringIO, settings: Any) -> None:
    settings.OFFLOAD_LOG_REQUESTS = True

    client.get("/livez?secret=1", headers={"X-Request-ID": "one"})

    (line,) = map(json.loads, written.getvalue().splitlines())
    assert re.fullmatch(r"GET /livez: 200 in \d+ ms", line["message"])
    assert line["request_id"] == "one"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/livez", ("GET", "/livez", "2xx")),
        ("GET", f"/cases/{UUID(int=7)}", ("GET", "/cases/<str:case_id>", "4xx")),
        ("GET", "/no/such/route", ("GET", "unknown", "4xx")),
        ("GET", "/admin/login/", ("GET", "admin/", "2xx")),
        ("BREW", "/livez", ("other", "/livez", "4xx")),
    ],
)
def test_a_request_is_counted_by_method_route_and_class_alone(
    client: Client, method: str, path: str, counted: tuple[str, ...]
) -> None:
    before = read_counts().get(counted, 0)

    client.generic(method, path)

    assert read_counts()[counted] == before + 1
