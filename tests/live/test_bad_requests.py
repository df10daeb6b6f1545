"""Bad requests over raw HTTP against the running stack: each gets its status in the envelope and leaves no trace.

The stack runs with the webhook rules of production, so it is one of its own.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.live.bad.bodies import ADDRESSES, BODIES, MEMBERS, WEBHOOK_URLS
from tests.live.bad.request import BadRequest, make_document
from tests.live.bad.routes import ANSWERS, IDEMPOTENCY_KEYS, KEYS, LISTINGS, NO_HTTP, ROUTES
from tests.live.stack import Stack, wait_for
from tests.live.test_docs import QUESTION
from tests.live.test_first_case import ANSWER, W9

pytestmark = pytest.mark.live

BAD_REQUESTS = [
    *MEMBERS,
    *ADDRESSES,
    *WEBHOOK_URLS,
    *BODIES,
    *ROUTES,
    *ANSWERS,
    *LISTINGS,
    *IDEMPOTENCY_KEYS,
    *KEYS,
]
PATIENCE_SECONDS = 20
# What only a request can bring about; the stack itself adds none of it.
TRACES = """
    SELECT (SELECT count(*) FROM cases_case),
           (SELECT count(*) FROM cases_caseevent WHERE kind IN ('CASE_CREATED', 'INPUT_PROVIDED', 'CASE_CANCELLED')),
           (SELECT count(*) FROM cases_inputrequest),
           (SELECT count(*) FROM cases_inputrequest WHERE status = 'RESOLVED'),
           (SELECT count(*) FROM cases_case WHERE status = 'FAILED'),
           (SELECT count(*) FROM cases_idempotentanswer)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A stack with two clients, and the words in a row that stand for something in it."""

    stack: Stack
    words: dict[str, str] = field(default_factory=dict)

    def fill_in(self, text: str) -> str:
        for word, value in self.words.items():
            text = text.replace(word, value)
        return text

    def count_traces(self) -> tuple[int, ...]:
        with psycopg.connect(self.stack.description["database_url"]) as connection:
            row = connection.execute(TRACES).fetchone()
        assert row is not None
        return tuple(row)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    stack = Stack(tmp_path_factory.mktemp("strict"), OFFLOAD_WEBHOOK_ALLOW_PRIVATE="0")
    try:
        yield prepare(stack)
    finally:
        assert stack.stop() == 0


def prepare(stack: Stack) -> Target:
    """Opens what the rows speak of: a case that waits for an answer, one that is complete, one of another client."""
    asking = stack.open_case(clientWebhookUrl="https://hooks.example.com/in")
    stack.reply(stack.wait_for_mail(asking)["thread_id"], QUESTION)
    question = stack.wait_for_status(asking, "INPUT_NEEDED")["inputRequest"]["id"]
    ended = stack.open_case(clientWebhookUrl="https://hooks.example.com/in")
    stack.reply(stack.wait_for_mail(ended)["thread_id"], ANSWER, attachments=[W9])
    stack.wait_for_status(ended, "COMPLETED")
    status, answer = stack.call("POST", "/cases", make_document(), key="second_api_key")
    assert status == 201, answer
    theirs = f"/cases/{answer['data']['caseId']}"
    # Nothing of the stack's own may still be under way when traces are counted.
    wait_for(
        "the other client's case to run",
        lambda: stack.call("GET", theirs, key="second_api_key")[1]["data"]["status"] == "RUNNING" or None,
    )
    description = stack.description
    return Target(
        stack,
        {
            "ASKING": asking,
            "QUESTION": question,
            "ENDED": ended,
            "THEIRS": answer["data"]["caseId"],
            "GOOD-KEY": description["api_key"],
            "INACTIVE-KEY": description["inactive_api_key"],
            "HOST": urlsplit(description["api"]).netloc,
        },
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def send(target: Target, request: BadRequest) -> Answer:
    """Returns the answer to one request on a connection of its own."""
    head, separator, body = request.compose().partition(b"\r\n\r\n")
    head = target.fill_in(head.decode("latin-1")).encode("latin-1")
    if len(body) < 1_000:
        filled = target.fill_in(body.decode("latin-1")).encode("latin-1")
        head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % len(filled))
        body = filled
    address = urlsplit(target.stack.description["api"])
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head + separator + body)
        response = http.client.HTTPResponse(connection, method=request.method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=lambda row: row.name)
def test_a_bad_request_gets_its_answer_in_the_envelope_and_leaves_no_trace(
    target: Target, request_: BadRequest
) -> None:
    before = target.count_traces()

    got = send(target, request_)

    assert (got.status, got.headers["content-type"]) == (request_.status, "application/json"), got.body[:500]
    answer: dict[str, Any] = json.loads(got.body)
    assert answer.keys() == {"ok", "error"}
    assert answer["ok"] is False
    error = answer["error"]
    assert error.keys() <= {"code", "message", "details"}
    assert error["code"] == request_.code
    assert request_.says in error["message"]
    assert tuple(fault["field"] for fault in error.get("details", ())) == request_.fields
    assert "x-injected" not in got.headers
    assert target.count_traces() == before


def test_the_table_is_as_long_as_it_claims_and_no_row_stands_twice() -> None:
    names = [row.name for row in BAD_REQUESTS]

    assert len(names) >= 80
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("request_", NO_HTTP, ids=lambda row: row.name)
def test_what_is_no_http_is_refused_by_the_web_server_and_leaves_no_trace(target: Target, request_: BadRequest) -> None:
    before = target.count_traces()

    got = send(target, request_)

    assert 400 <= got.status < 500 or got.status in (501, 505), got
    assert got.headers["connection"] == "close"
    assert b"Traceback" not in got.body
    assert target.count_traces() == before


def test_the_stack_still_serves_after_all_of_it(target: Target) -> None:
    for row in (*BAD_REQUESTS, *NO_HTTP)[::10]:
        send(target, row)

    status, answer = target.stack.call("GET", f"/cases/{target.words['ASKING']}")

    assert (status, answer["data"]["status"]) == (200, "INPUT_NEEDED")
    assert answer["data"]["inputRequest"]["id"] == target.words["QUESTION"]
    assert "Traceback" not in target.stack.read_log()
