"""A mail provider that takes every mail under its key once, with the faults a test asks for; one HTTP server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.agentmail.provider import Answer, Provider, Received, say

LIMIT = say(429, {"code": "rate_limit_exceeded"}, Retry_After="1")
REFUSAL = say(403, {"code": "message_rejected", "message": "On the block list"})
BROKEN = say(500, {"name": "InternalServerError"})


class HistoryProvider(Provider):
    """`fault` says how it misbehaves: "", "lost" (it takes the mail and answers 500), "busy", "refuses" or "down"."""

    def __init__(self) -> None:
        super().__init__()
        self.begin("")

    def begin(self, thread_id: str) -> None:
        """Forgets everything; its mails belong to one thread."""
        self.thread_id = thread_id
        self.fault = ""
        # Of each idempotency key, the ids and the body that came first.
        self.taken: dict[str, tuple[str, bytes]] = {}
        self.contradictions: list[str] = []
        self.received.clear()

    def next_answer(self) -> Answer:
        request = self.received[-1]
        if self.fault == "down":
            return BROKEN
        return self._take(request) if request.method == "POST" else self._show(request)

    def _take(self, request: Received) -> Answer:
        if self.fault == "busy":
            return LIMIT
        if self.fault == "refuses":
            return REFUSAL
        key = request.headers["idempotency-key"]
        ids, body = self.taken.setdefault(key, (f"<out-{len(self.taken) + 1}@{self.thread_id}>", request.body))
        if body != request.body:
            self.contradictions.append(key)
        if self.fault == "lost":
            return BROKEN
        return say(200, {"message_id": ids, "thread_id": self.thread_id})

    def _show(self, request: Received) -> Answer:
        """The thread is empty: what was received is known from the webhooks. A list by label tells the truth."""
        labels = parse_qs(urlsplit(request.path).query).get("labels")
        found: list[dict[str, Any]] = []
        for ids, body in self.taken.values():
            carried = json.loads(body)["labels"]
            if labels and json.loads(labels[0]) == carried:
                found.append({"message_id": ids, "thread_id": self.thread_id, "labels": carried})
        return say(200, {"count": len(found), "messages": found})
