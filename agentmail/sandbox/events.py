"""The provider's webhook events as JSON objects; must not queue or send them."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime

from agentmail.sandbox.addresses import bare_address
from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.models import Message
from agentmail.sandbox.shapes import ORGANIZATION_ID, POD_ID, iso, message_json, thread_item_json

MAX_PAYLOAD_BYTES = 1_000_000


def received_event(message: Message, thread_messages: Sequence[Message], variant: str) -> JSONObject:
    """Returns `message.received` or its variant; above 1 MB the bodies are left out, as the provider does."""
    event_type = f"message.received.{variant}" if variant else "message.received"
    event = _envelope(event_type) | {
        "message": message_json(message),
        "thread": thread_item_json(message.thread, thread_messages),
    }
    for bodies in (("text", "html"), ("extracted_text", "extracted_html")):
        if len(json.dumps(event).encode()) <= MAX_PAYLOAD_BYTES:
            break
        for body in bodies:
            event["message"].pop(body, None)
    return event


def sent_event(message: Message, at: datetime) -> JSONObject:
    """Returns `message.sent`: the provider handed the mail on."""
    return _envelope("message.sent") | {"send": _about(message, at) | {"recipients": _recipients(message)}}


def delivered_event(message: Message, at: datetime) -> JSONObject:
    """Returns `message.delivered`: the recipient's server took the mail."""
    return _envelope("message.delivered") | {"delivery": _about(message, at) | {"recipients": _recipients(message)}}


def bounced_event(message: Message, kind: str, sub_type: str, addresses: list[str], at: datetime) -> JSONObject:
    """Returns `message.bounced`; `kind` is Permanent or Transient."""
    status = "5.1.1" if kind == "Permanent" else "4.4.7"
    recipients = [{"address": address, "status": status} for address in addresses]
    return _envelope("message.bounced") | {
        "bounce": _about(message, at) | {"type": kind, "sub_type": sub_type, "recipients": recipients}
    }


def complained_event(message: Message, kind: str, sub_type: str, at: datetime) -> JSONObject:
    """Returns `message.complained`: the recipient reported the mail as spam."""
    return _envelope("message.complained") | {
        "complaint": _about(message, at) | {"type": kind, "sub_type": sub_type, "recipients": _recipients(message)}
    }


def rejected_event(message: Message, reason: str, at: datetime) -> JSONObject:
    """Returns `message.rejected`: the provider would not hand the mail on."""
    return _envelope("message.rejected") | {"reject": _about(message, at) | {"reason": reason}}


def _envelope(event_type: str) -> JSONObject:
    return {
        "type": "event",
        "event_type": event_type,
        "event_id": f"evt_{uuid.uuid4().hex}",
        "organization_id": ORGANIZATION_ID,
        "pod_id": POD_ID,
    }


def _about(message: Message, at: datetime) -> JSONObject:
    return {
        "inbox_id": message.inbox.inbox_id,
        "thread_id": str(message.thread.thread_id),
        "message_id": message.message_id,
        "timestamp": iso(at),
    }


def _recipients(message: Message) -> list[str]:
    return [bare_address(address) for address in [*message.to, *message.cc, *message.bcc]]
