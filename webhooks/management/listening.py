"""A small HTTP server that prints the webhooks it is sent and checks their signatures; must not keep any of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from webhooks.outcomes import clean_text
from webhooks.signing import HEADERS, find_fault

MAX_BODY_BYTES = 1_000_000
# A caller that sends nothing must not hold a thread for ever.
PATIENCE_S = 30


class Listener(ThreadingHTTPServer):
    """Answers every POST with `status`; hands what it has to say to `write`, one webhook at a time.

    secret: what signatures are checked with, "" to check none. A webhook that is not to be believed is answered 401,
    as a receiver of yours should do.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        *,
        secret: str,
        status: int,
        retry_after: int | None,
        write: Callable[[str], Any],
        read_clock: Callable[[], datetime],
    ) -> None:
        super().__init__(address, _Handler)
        self.secret, self.status, self.retry_after = secret, status, retry_after
        self.read_clock = read_clock
        self._write, self._lock = write, Lock()
        self._seen: dict[str, int] = {}

    def take(self, path: str, headers: dict[str, str], body: bytes, now: datetime) -> int:
        """Prints one webhook and returns the status to answer with."""
        fault = find_fault(self.secret, headers, body, now=now) if self.secret else None
        status = 401 if fault else self.status
        with self._lock:
            event_id, told = _describe(body)
            times = self._seen[event_id] = self._seen.get(event_id, 0) + 1
            again = f", attempt {times} to arrive here" if event_id and times > 1 else ""
            lines = [f"── {now:%H:%M:%S} POST {clean_text(path.encode())}{again}"]
            lines += [f"   {name}: {clean_text(headers[name].encode())}" for name in HEADERS if name in headers]
            lines.append(f"   {self._judge(fault)}")
            lines += [f"   {line}" for line in told.splitlines()]
            lines.append(f"   answered {status}")
            self._write("\n".join(lines) + "\n")
        return status

    def _judge(self, fault: str | None) -> str:
        if not self.secret:
            return "signature not checked: start with --secret whsec_… to check it"
        return f"SIGNATURE REFUSED: {fault}" if fault else "signature good"


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = PATIENCE_S

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > MAX_BODY_BYTES or len(length) > 20:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(self.server.take(self.path, headers, body, self.server.read_clock()))

    def do_GET(self) -> None:
        self._answer(405)

    def log_message(self, *args: Any) -> None:
        """Says nothing: the webhook itself is printed."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if self.server.retry_after is not None and status >= 400:
            self.send_header("Retry-After", str(self.server.retry_after))
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


def _describe(body: bytes) -> tuple[str, str]:
    """Returns the event's id ("" without one) and the body in a form that a terminal may show."""
    text = clean_text(body)
    try:
        document = json.loads(text)
        shown = json.dumps(document, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "", text
    event_id = document.get("event_id") if isinstance(document, dict) else None
    # A JSON escape may hold what the raw bytes may not: control characters, half of a pair.
    plain = clean_text(shown.encode(errors="replace"))
    return (event_id if isinstance(event_id, str) else ""), plain
