"""Secrets and other people's words, planted wherever they can enter, are in nothing that the stack logs at DEBUG.

Web, worker, beat, webhooks, admin and sandbox run as processes, in production's form of the log; what is searched is
all that they wrote, to the last line.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from tests.live.stack import Stack, wait_for
from tests.live.test_lifecycle import Admin

pytestmark = [pytest.mark.live, pytest.mark.long]

METRICS_TOKEN = "canary-metrics-token-1f6d"
WORDS = {
    "the objective": "canary-objective-93a1",
    "knowledge": "canary-knowledge-5c70",
    "private knowledge": "canary-private-2b8e",
    "metadata": "canary-metadata-77d2",
    "a constraint": "canary-constraint-8a1c",
    "address": "canary-address-41fe@northstar.example",
    "webhook path": "canary-path-60ab",
    "webhook query": "canary-query-e4c9",
    "reply text": "canary-reply-0d35",
    "reply subject": "canary-subject-b92f",
    "human answer": "canary-answer-c618",
    "a key that nobody has": "off_canary99_" + "x7Yz-_" * 7 + "q",
    "a body that is no JSON": "canary-broken-json-a05e",
}


@pytest.fixture(scope="module")
def debugging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, as talkative as it can be."""
    settings = {
        "OFFLOAD_LOG_LEVEL": "DEBUG",
        "OFFLOAD_LOG_FORMAT": "json",
        "OFFLOAD_LOG_REQUESTS": "1",
        "OFFLOAD_METRICS_TOKEN": METRICS_TOKEN,
    }
    running = Stack(tmp_path_factory.mktemp("debugging"), **settings)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def case_id(debugging: Stack) -> str:
    """A case that met everything."""
    played = drive_a_case_to_its_end(debugging)
    meet_every_refusal(debugging, played)
    meet_a_provider_that_fails(debugging)
    return played


def list_secrets(stack: Stack) -> dict[str, str]:
    """Returns everything that must not be written, by what it is."""
    described = stack.description
    database = urlsplit(stack.read_setting("DATABASE_URL"))
    return WORDS | {
        "the client's key": described["api_key"],
        "an inactive key": described["inactive_api_key"],
        "AgentMail's key": stack.read_setting("AGENTMAIL_API_KEY"),
        "the webhook secret": stack.read_setting("AGENTMAIL_WEBHOOK_SECRETS"),
        "Django's secret key": stack.read_setting("OFFLOAD_SECRET_KEY"),
        "the database's password": database.password or "",
        "the support agent's password": described["staff"]["support"]["password"],
        "the metrics token": METRICS_TOKEN,
    }


def send(stack: Stack, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """Returns the status of a request that no client of ours would make."""
    url = stack.description["api"].rstrip("/") + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def open_case_of_canaries(stack: Stack, address: str = WORDS["address"], **changes: Any) -> str:
    return stack.open_case(
        goal={
            "objective": f"Collect the invoice date. {WORDS['the objective']}",
            "knowledge": {"order": WORDS["knowledge"], "private": {"limit": WORDS["private knowledge"]}},
        },
        counterparty={"name": "Maya Lindqvist", "address": address},
        metadata={"note": WORDS["metadata"]},
        constraints=[WORDS["a constraint"]],
        **changes,
    )


def drive_a_case_to_its_end(stack: Stack) -> str:
    """Outreach, a question, human answer, a refusal, and a webhook that fails on the way."""
    dead_end = f"http://127.0.0.1:9/{WORDS['webhook path']}?token={WORDS['webhook query']}"
    case_id = open_case_of_canaries(stack, clientWebhookUrl=dead_end)
    thread_id = stack.wait_for_mail(case_id)["thread_id"]
    stack.wait_for_status(case_id, "RUNNING")
    text = f"Which year do you mean? {WORDS['reply text']}"
    stack.reply(thread_id, text, subject=WORDS["reply subject"])
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")["inputRequest"]["id"]
    body = {"inputRequestId": asked, "providedContext": f"The last one. {WORDS['human answer']}"}
    assert stack.call("POST", f"/cases/{case_id}/input", body)[0] == 202
    stack.wait_for_mail(case_id, 2)
    stack.reply(thread_id, f"No. Please do not contact me again. {WORDS['reply text']}")
    stack.wait_for_status(case_id, "FAILED", "INPUT_NEEDED", "COMPLETED")
    return case_id


def meet_every_refusal(stack: Stack, case_id: str) -> None:
    """Requests that fail, each with something secret in it."""
    key, inactive = stack.description["api_key"], stack.description["inactive_api_key"]
    broken = f'{{"goal": "{WORDS["a body that is no JSON"]}'.encode()
    nobody = WORDS["a key that nobody has"]
    assert send(stack, "/cases", {"x-api-key": key, "content-type": "application/json"}, broken) == 400
    assert send(stack, f"/cases/{case_id}", {"x-api-key": nobody}) == 401
    assert send(stack, f"/cases/{case_id}", {"x-api-key": inactive}) == 403
    assert send(stack, f"/cases/{key}", {"x-api-key": key, "X-Request-ID": key}) == 404
    assert send(stack, f"/nothing/{WORDS['address']}", {}) == 404
    assert send(stack, "/agentmail/webhook", {}, WORDS["reply text"].encode()) == 401
    assert send(stack, "/metrics", {"authorization": f"Bearer {METRICS_TOKEN}"}) == 200
    assert send(stack, "/metrics", {"authorization": f"Bearer {METRICS_TOKEN}x"}) == 401


def meet_a_provider_that_fails(stack: Stack) -> None:
    """The provider's 500 and its refusal of our key, each with a case that waits meanwhile."""
    stack.play_faults(send=[500])
    case_id = open_case_of_canaries(stack, f"other-{WORDS['address']}")
    stack.wait_for_mail(case_id)


def read_lines(stack: Stack) -> list[dict[str, Any]]:
    """Returns what Python wrote in JSON, without the name of the process before it."""
    found = (re.sub(r"^\s*\w+ \| ", "", line) for line in stack.read_log().splitlines())
    return [json.loads(line) for line in found if line.startswith('{"timestamp"')]


def test_no_planted_secret_is_in_anything_that_is_logged(debugging: Stack, case_id: str) -> None:
    assert WORDS["reply text"] in Admin(debugging).read_case(case_id)
    log = debugging.read_log()
    # The first screen is for whoever runs ./dev up, and shows its keys; the log of the processes begins every line.
    logged = "\n".join(line for line in log.splitlines() if re.match(r"\s*\w+ \| ", line))

    written = [what for what, secret in list_secrets(debugging).items() if secret in logged]

    assert written == []
    assert {line["level"] for line in read_lines(debugging)} >= {"DEBUG", "INFO", "WARNING"}


def test_lines_of_web_worker_and_webhook_say_what_they_are_about(debugging: Stack, case_id: str) -> None:
    def find_delivery() -> list[dict[str, Any]] | None:
        return [line for line in read_lines(debugging) if "delivery_id" in line] or None

    deliveries = wait_for("a line about a webhook", find_delivery, 30)
    lines = read_lines(debugging)
    asked = [line for line in lines if line.get("case_id") == case_id and line["message"].startswith("GET /cases/")]
    handled = [line for line in lines if line.get("case_id") == case_id and "was handled" in line["message"]]
    assert all(re.fullmatch(r"[0-9a-f]{32}", line["request_id"]) for line in asked)
    assert asked
    assert {line["message"].split(" ")[0] for line in handled} >= {"CASE_CREATED", "REPLY_RECEIVED", "INPUT_PROVIDED"}
    assert all(isinstance(line["event_id"], int) for line in handled)
    assert {line["logger"] for line in deliveries} >= {"webhooks.handlers"}
