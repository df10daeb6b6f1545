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
    "Sent to the case's `clientWebhookUrl` as `content-type: application/json`. Any 2xx is success. One attempt is "
    "made, also across crashes, and a failure is recorded and not repeated: poll what you must not miss. The network "
    "may still deliver it twice, with the same `event_id`. Unsigned: read the case before you act on it."
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
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"2XX": {"description": "Success. The first 4 kB of the answer are kept for support."}},
    }
