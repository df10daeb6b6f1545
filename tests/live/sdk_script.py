"""Drives the sandbox with AgentMail's official SDK and prints the outcome as JSON; runs where the SDK is installed."""

import json
import sys
import uuid

from agentmail import AgentMail, AgentMailEnvironment  # type: ignore[attr-defined]

base_url, api_key, inbox_id, address = sys.argv[1:]
client = AgentMail(api_key=api_key, environment=AgentMailEnvironment(http=base_url, websockets="ws://unused"))
label = f"sdk-{uuid.uuid4()}"
key = f"sdk.{uuid.uuid4()}"

inbox = client.inboxes.get(inbox_id)
first = client.inboxes.messages.send(
    inbox_id, to=[address], subject="From the SDK", text="Hello", labels=[label], idempotency_key=key
)
again = client.inboxes.messages.send(
    inbox_id, to=[address], subject="From the SDK", text="Hello", labels=[label], idempotency_key=key
)
try:
    client.inboxes.messages.send(
        inbox_id,
        to=[address],
        subject="From the SDK",
        text="Something else",
        idempotency_key=key,
        request_options={"max_retries": 0},
    )
    conflict = None
except Exception as error:
    conflict = getattr(error, "status_code", None)
reply = client.inboxes.messages.reply(inbox_id, first.message_id, to=[address], text="And more", labels=[label])
listed = client.inboxes.messages.list(inbox_id, labels=[label])
thread = client.inboxes.threads.get(inbox_id, first.thread_id)
draft = client.inboxes.drafts.create(
    inbox_id, to=[address], subject="A draft", text="Later", client_id=f"sdk-{uuid.uuid4()}"
)
from_draft = client.inboxes.drafts.send(inbox_id, draft.draft_id)
webhook = client.webhooks.create(
    url="http://127.0.0.1:9/hook", event_types=["message.received"], client_id=f"sdk-{uuid.uuid4()}"
)
client.webhooks.delete(webhook.webhook_id)

sys.stdout.write(
    json.dumps(
        {
            "inbox": inbox.inbox_id,
            "is_one_mail": first.message_id == again.message_id,
            "conflict": conflict,
            "is_one_thread": reply.thread_id == first.thread_id,
            "listed": sorted(message.message_id for message in listed.messages)
            == sorted([first.message_id, reply.message_id]),
            "thread": [message.text for message in thread.messages],
            "is_draft_sent": from_draft.thread_id not in (None, first.thread_id),
            "secret": webhook.secret.split("_")[0],
        }
    )
)
