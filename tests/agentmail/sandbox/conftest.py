"""What the sandbox's tests share: callers of its APIs, and a real HTTP server that takes its webhooks."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from agentmail.sandbox.bootstrap import ensure_defaults

INBOX = "agent@offload.example"
SECRET = "whsec_dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Provider:
    """Calls the provider's API as a client on the wire would: escaped paths, a bearer key, JSON bodies."""

    def __init__(self) -> None:
        self._client = Client()
        self.key = "am_test_key"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Returns Django's response; `path` is what follows `/v0`, already escaped."""
        url = f"/sandbox/agentmail/v0{path}"
        data = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        return self._client.generic(
            method,
            url,
            data,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"} | {k.replace("_", "-"): v for k, v in headers.items()},
            # gunicorn hands on the path as it was sent; Django's test client only the decoded one.
            RAW_URI=url,
        )

    def send(self, body: Any = None, **headers: str) -> Any:
        """Sends a mail to Maya, or what `body` says."""
        mail = {"to": ["Maya Chen <maya@supplier.example>"], "subject": "W-9", "text": "Please send it."}
        return self.call("POST", f"/inboxes/{INBOX}/messages/send", mail if body is None else body, **headers)


class Control:
    """Calls the sandbox's own API."""

    def __init__(self) -> None:
        self._client = Client()

    def get(self, path: str) -> Any:
        """Returns the JSON of a GET."""
        return self._client.get(f"/sandbox/{path}").json()

    def post(self, path: str, body: Any) -> Any:
        """Returns Django's response to a POST of JSON."""
        return self._client.post(f"/sandbox/{path}", json.dumps(body), content_type="application/json")

    def delete(self, path: str) -> Any:
        """Returns the JSON of a DELETE."""
        return self._client.delete(f"/sandbox/{path}").json()


class Receiver:
    """A real HTTP server that keeps what it is sent; answers with `statuses` in turn, then 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with receiver._arrived:
                    receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver._arrived.notify_all()
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies that arrived, in order."""
        return [json.loads(body) for _, body in self.requests]

    def wait_for(self, event_type: str, after: int = 0) -> dict[str, Any]:
        """Returns the first event of that type, `after` so many requests; fails when none comes in 20 s."""

        def find() -> list[dict[str, Any]]:
            return [event for event in self.events[after:] if event["event_type"] == event_type]

        with self._arrived:
            assert self._arrived.wait_for(find, timeout=20), f"no {event_type} arrived"
            return find()[0]

    def close(self) -> None:
        """Stops the server and frees its port."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _sandbox_routes(settings: Settings) -> None:
    settings.ROOT_URLCONF = "offload.sandbox_urls"
    settings.AGENTMAIL_API_KEY = "am_test_key"
    settings.AGENTMAIL_INBOX_ID = INBOX


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook endpoint on this machine."""
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def _defaults(db: None, receiver: Receiver) -> None:
    ensure_defaults(inbox_id=INBOX, webhook_url=receiver.url, webhook_secret=SECRET, now=START)


@pytest.fixture
def provider(_defaults: None) -> Provider:
    """The provider's API with the default inbox, and a webhook that leads to `receiver`."""
    return Provider()


@pytest.fixture
def control(_defaults: None) -> Control:
    """The sandbox's own API on the same rows."""
    return Control()
