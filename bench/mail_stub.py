"""A mail provider that takes every mail at once and answers it by webhook: `python -m bench.mail_stub PORT WEBHOOK`.

Speaks the two calls of AgentMail that a case of two events makes. A thread's id ends in the sender's own
Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from bench.loopback import read_status, serve

SECRET = b"only-for-a-bench-not-a-secret"
INBOX = "agent@offload.example"
REPLY = "Hello Ana, the form is attached. Legal name: Northstar Trading LLC. Tax id: 12-3456789. Maya"
CONNECTIONS = 4


class Stub:
    """`webhooks` are the thread ids whose reply has still to be told."""

    def __init__(self, webhook: str) -> None:
        self.webhook = urlsplit(webhook)
        self.threads: dict[str, dict[str, object]] = {}
        self.webhooks: asyncio.Queue[str] = asyncio.Queue()

    async def answer(self, method: str, path: str, headers: dict[str, str], content: bytes) -> dict[str, object]:
        """Takes a mail, or shows a thread."""
        if method == "POST":
            key = headers["idempotency-key"]
            thread_id = f"thread-{key}"
            if thread_id not in self.threads:
                self.threads[thread_id] = json.loads(content)
                self.webhooks.put_nowait(thread_id)
            return {"message_id": f"<out-{key}@offload.example>", "thread_id": thread_id}
        thread_id = unquote(path.partition("?")[0].rpartition("/")[2])
        messages = [self._make_outbound(thread_id), self._make_reply(thread_id)] if thread_id in self.threads else []
        return {"inbox_id": INBOX, "thread_id": thread_id, "count": len(messages), "messages": messages}

    def _make_outbound(self, thread_id: str) -> dict[str, object]:
        mail = self.threads[thread_id]
        return {
            "inbox_id": INBOX,
            "thread_id": thread_id,
            "message_id": f"<out-{thread_id.removeprefix('thread-')}@offload.example>",
            "from": INBOX,
            "to": mail["to"],
            "subject": mail.get("subject", ""),
            "text": mail["text"],
            "labels": ["sent"],
            "timestamp": datetime.now(UTC).isoformat(),
        }

    def _make_reply(self, thread_id: str) -> dict[str, object]:
        to = self.threads[thread_id]["to"]
        assert isinstance(to, list)
        return {
            "inbox_id": INBOX,
            "thread_id": thread_id,
            "message_id": f"<in-{thread_id}@northstar.example>",
            "from": to[0],
            "to": [INBOX],
            "subject": "Re: Signed W-9",
            "text": REPLY,
            "labels": ["received"],
            "timestamp": datetime.now(UTC).isoformat(),
            "attachments": [],
            "headers": {},
        }

    async def tell_replies(self) -> None:
        """Posts a webhook for each mail that was taken, over one kept connection."""
        opened: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            thread_id = await self.webhooks.get()
            event = {
                "type": "event",
                "event_type": "message.received",
                "event_id": f"evt-{thread_id}",
                "message": self._make_reply(thread_id),
            }
            request = _sign(self.webhook.path, json.dumps(event).encode(), f"msg-{thread_id}")
            status = 0
            while not status:
                try:
                    reader, writer = opened or await asyncio.open_connection(self.webhook.hostname, self.webhook.port)
                    writer.write(request)
                    status = await read_status(reader)
                    opened = reader, writer
                except (asyncio.IncompleteReadError, ConnectionError):
                    # The server ends a connection that was idle; a webhook that came twice counts once.
                    opened = None
                    await asyncio.sleep(0.01)
            if status != 200:
                print(f"the webhook was answered {status}", file=sys.stderr, flush=True)


def _sign(path: str, body: bytes, delivery_id: str) -> bytes:
    """Returns the request with Svix's headers (Standard Webhooks: HMAC-SHA256 of id, time and body)."""
    now = str(int(time.time()))
    proof = hmac.new(SECRET, f"{delivery_id}.{now}.".encode() + body, hashlib.sha256).digest()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"svix-id: {delivery_id}",
        f"svix-timestamp: {now}",
        f"svix-signature: v1,{base64.b64encode(proof).decode()}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def main(port: int, webhook: str) -> None:
    """Serves until the process is ended."""
    stub = Stub(webhook)
    tellers = [asyncio.create_task(stub.tell_replies()) for _ in range(CONNECTIONS if webhook else 0)]
    await asyncio.gather(serve(port, stub.answer), *tellers)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
