"""Hands the mail provider's webhook to a waiting DBOS workflow: `python bench/dbos_web.py DATABASE_URL PORT`.

The peer's web process. It verifies nothing and stores nothing of its own, which costs less than what Offload does.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dbos import DBOSClient

client = DBOSClient(system_database_url=sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    """One message of the provider becomes one message to a workflow."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Sends and answers 200."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        thread_id = event["message"]["thread_id"]
        client.send(thread_id.removeprefix("thread-"), event["message"]["text"], "reply")
        self._answer()

    def do_GET(self) -> None:
        """Says that it is there."""
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """One line a call would cost more than the call."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
