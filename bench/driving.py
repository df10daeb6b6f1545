"""Opens cases over HTTP as clients do, and waits for what comes of them; must not measure anything."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from bench.table import NotMeasured

CLIENTS = 8
PATIENCE_S = 300.0
BODY = {
    "channel": "EMAIL",
    "goal": {"objective": "Collect a signed W-9 from Maya at Northstar"},
    "counterparty": {"name": "Maya Lindqvist", "address": "maya@northstar.example"},
    "senderPersona": {"name": "Ana Reyes"},
    "resultSchema": {
        "type": "object",
        "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
        "required": ["legalName", "taxId"],
    },
}


class Stuck(NotMeasured):
    """A case was refused, or not all of them came to where they should be in time."""


def open_cases(port: int, key: str, count: int) -> None:
    """Posts `count` cases over eight connections, each with one request at a time. Raises Stuck."""
    shares = [count // CLIENTS + (number < count % CLIENTS) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda share: _open(port, key, share), shares))


def _open(port: int, key: str, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps(BODY)
    for _ in range(count):
        connection.request("POST", "/cases", body, {"x-api-key": key, "Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 201:
            raise Stuck(f"POST /cases was answered {answer.status}: {content[:300]!r}")
    connection.close()


def count_rows(database: psycopg.Connection[Any], query: str) -> int:
    """Returns the one number of a query."""
    return int(database.execute(query.encode()).fetchall()[0][0])


def wait_for_rows(database: psycopg.Connection[Any], query: str, wanted: int, every_s: float = 0.02) -> None:
    """Returns once the query counts that many, asked every so many seconds. Raises Stuck."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := count_rows(database, query)) < wanted:
        if time.monotonic() > deadline:
            raise Stuck(f"{found} of {wanted} after {PATIENCE_S:.0f} s: {query}")
        time.sleep(every_s)
