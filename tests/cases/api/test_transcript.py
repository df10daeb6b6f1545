"""`?includeTranscript=true` against a provider on a real socket: live, unwilling, gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from cases.models import Case
from tests.cases.api.conftest import Api, read_data
from tests.cases.factories import CaseFactory
from tests.cases.mail import INBOX, THREAD, store_reply, store_sent_mail

SENT_AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
REPLIED_AT = datetime(2026, 11, 24, 11, 30, tzinfo=UTC)

STORED_TRANSCRIPT = (
    f"From: {INBOX}\nDate: 2026-11-24 10:00 UTC\nSubject: Your W-9\n\nCould you send the W-9?\n\n"
    "From: Maya Chen <maya@vendor.example>\nDate: 2026-11-24 11:30 UTC\nSubject: Re: Your W-9\n\nOn Monday."
)


@dataclass
class Provider:
    """A mail provider that answers every request alike and keeps what it was asked."""

    url: str = ""
    status: int = 200
    content: Any = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    played = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            played.asked.append(self.path)
            body = json.dumps(played.content).encode()
            self.send_response(played.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.AGENTMAIL_BASE_URL = f"http://127.0.0.1:{server.server_port}/v0"
    yield played
    server.shutdown()
    thread.join()
    server.server_close()


def make_case_with_mail(api: Api) -> Case:
    case = CaseFactory.create(client=api.client, status="RUNNING", attempt_count=1)
    store_sent_mail(case, "Could you send the W-9?", SENT_AT)
    store_reply(case, "On Monday.", REPLIED_AT)
    return case


def test_the_transcript_of_a_case_without_a_thread_is_null_and_asks_nobody(api: Api, provider: Provider) -> None:
    case = CaseFactory.create(client=api.client)

    data = read_data(api.get(f"/cases/{case.id}?includeTranscript=true"))

    assert data["conversationThread"] is None
    assert provider.asked == []


def test_the_transcript_holds_what_only_the_live_thread_has(api: Api, provider: Provider) -> None:
    case = make_case_with_mail(api)
    provider.content = {
        "messages": [
            {
                "inbox_id": INBOX,
                "thread_id": THREAD,
                "message_id": "<late@vendor.example>",
                "from": "Maya Chen <maya@vendor.example>",
                "subject": "Re: Your W-9",
                "text": "Here it is.",
                "timestamp": "2026-11-24T12:00:00Z",
                "labels": ["received"],
            }
        ]
    }

    data = read_data(api.get(f"/cases/{case.id}?includeTranscript=true"))

    assert data["conversationThread"] == (
        f"{STORED_TRANSCRIPT}\n\n"
        "From: Maya Chen <maya@vendor.example>\nDate: 2026-11-24 12:00 UTC\nSubject: Re: Your W-9\n\nHere it is."
    )
    assert provider.asked[0].startswith("/v0/inboxes/agent%40offload.example/threads/thread%2F1?")


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_a_provider_that_does_not_help_leaves_the_stored_mail(api: Api, provider: Provider, status: int) -> None:
    case = make_case_with_mail(api)
    provider.status = status

    response = api.get(f"/cases/{case.id}?includeTranscript=true")

    assert response.status_code == 200
    assert read_data(response)["conversationThread"] == STORED_TRANSCRIPT
    assert len(provider.asked) == 1


def test_a_provider_that_is_gone_leaves_the_stored_mail(api: Api, settings: Any) -> None:
    settings.AGENTMAIL_BASE_URL = "http://127.0.0.1:9/v0"
    case = make_case_with_mail(api)

    response = api.get(f"/cases/{case.id}?includeTranscript=true")

    assert response.status_code == 200
    assert read_data(response)["conversationThread"] == STORED_TRANSCRIPT


@pytest.mark.parametrize(
    "query", ["", "?includeTranscript", "?includeTranscript=1", "?includeTranscript=True", "?x=true"]
)
def test_only_the_literal_true_asks_for_the_transcript(api: Api, provider: Provider, query: str) -> None:
    case = make_case_with_mail(api)

    data = read_data(api.get(f"/cases/{case.id}{query}"))

    assert "conversationThread" not in data
    assert provider.asked == []
