"""Describes the webhooks that clients receive; must not send one."""

from __future__ import annotations

from cases.api.openapi.examples import EVENTS
from cases.api.openapi.schemas import Schema, name_event, refer
from cases.workflow import Notice

_SUMMARIES = {
    Notice.COMPLETED: ("caseCompleted", "A case is complete", "The goal is achieved; `data.result` is there."),
    Notice.FAILED: ("caseFailed", "A case has failed", "The case ended without it; `data.resultStatus` says why."),
    Notice.INPUT_NEEDED: (
        "caseInputNeeded",
        "A case needs a human",
        "The agent asks a human on your side. Answer with `provideInput`.",
    ),
}
_DELIVERY = (
    "Sent to the case's `clientWebhookUrl` as `content-type: application/json`. Any 2xx is success. Unless your client "
    "opted in to retries, one attempt is made, also across crashes, and a failure is recorded and not repeated: poll "
    "what you must not miss. It may come twice, with the same `event_id`. Unless your client opted in to signatures, "
    "the three headers are absent: read the case before you act on it."
)
# Standard Webhooks 1.0.0.
_HEADERS = (
    ("webhook-id", "The `event_id`, the same at every attempt.", {"type": "string"}, "evt_…"),
    (
        "webhook-timestamp",
        "When this attempt was made, in Unix seconds. Refuse one more than 300 seconds from your clock.",
        {"type": "string", "pattern": "^[0-9]+$"},
        "1795526653",
    ),
    (
        "webhook-signature",
        "With a space between: `v1,` and the Base64 of HMAC-SHA256 of `<id>.<timestamp>.<raw body>`; any may fit.",
        {"type": "string"},
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
)


def describe_webhooks() -> Schema:
    """Returns the `webhooks` of the description, by the name of the event."""
    return {str(notice): {"post": _describe(notice)} for notice in Notice}


def _describe(notice: Notice) -> Schema:
    name, summary, about = _SUMMARIES[notice]
    body = {"schema": refer(name_event(notice)), "examples": {name: {"value": EVENTS[notice]}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"{about}\n\n{_DELIVERY}",
        "parameters": [
            {"name": header, "in": "header", "required": False, "description": what, "schema": schema, "example": shown}
            for header, what, schema, shown in _HEADERS
        ],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"2XX": {"description": "Success. The first 4 kB of the answer are kept for support."}},
    }
