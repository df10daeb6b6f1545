"""Inbox and webhooks of our account at AgentMail, over HTTP; must not decide what they should be, nor store them.

Every call ends in a value and raises nothing. All of them may be repeated: what creates carries a `client_id`, for
which AgentMail answers a repeat with the first one's result.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote, urlencode

import orjson
from django.conf import settings

from agentmail.cleaning import clean_id, clean_line, load_json
from agentmail.subscription import (
    EVENT_TYPES,
    Account,
    AccountFault,
    CreateInbox,
    CreateWebhook,
    FaultKind,
    MendWebhook,
    Webhook,
)
from agentmail.transport import Answered, exchange

CONNECT_S = 5.0
DEADLINE_S = 10.0
MAX_ANSWER_BYTES = 1_000_000
MAX_PAGES = 10
REASON_CHARS = 300


@dataclass(frozen=True, slots=True)
class _Answer:
    content: dict[str, Any]
    told_at: datetime | None


class AgentMailAccount:
    """The account that AGENTMAIL_API_KEY opens."""

    def __init__(self, base_url: str, api_key: str, *, deadline_s: float = DEADLINE_S) -> None:
        """`deadline_s` bounds each call, and a list with all its pages."""
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._deadline_s = deadline_s

    @classmethod
    def from_settings(cls) -> Self:
        """Returns the account of AGENTMAIL_BASE_URL and AGENTMAIL_API_KEY."""
        return cls(settings.AGENTMAIL_BASE_URL, settings.AGENTMAIL_API_KEY)

    def look(self, inbox_id: str) -> Account:
        """Returns the inbox and all webhooks as they are; takes at most twice the deadline."""
        inbox = self._call("GET", f"/inboxes/{quote(inbox_id, safe='')}")
        if isinstance(inbox, AccountFault):
            # A refused key or a silent provider answers the second question as the first.
            fatal = inbox.kind in (FaultKind.KEY, FaultKind.NO_ANSWER)
            return Account(inbox, inbox if fatal else self.list_webhooks(), None)
        return Account(None, self.list_webhooks(), inbox.told_at)

    def list_webhooks(self) -> tuple[Webhook, ...] | AccountFault:
        """Returns every webhook that the key sees, all pages."""
        ends_at = time.monotonic() + self._deadline_s
        found: list[Webhook] = []
        token = ""
        for _ in range(MAX_PAGES):
            query = urlencode({"limit": "100"} | ({"page_token": token} if token else {}))
            answer = self._call("GET", f"/webhooks?{query}", deadline_s=max(ends_at - time.monotonic(), 0.1))
            if isinstance(answer, AccountFault):
                return answer
            rows = answer.content.get("webhooks")
            if not isinstance(rows, list):
                return AccountFault(FaultKind.NO_ANSWER, "the answer has no webhooks")
            found += [webhook for row in rows if (webhook := _read_webhook(row)) is not None]
            following = answer.content.get("next_page_token")
            if not isinstance(following, str) or not following or following == token:
                return tuple(found)
            token = following
        return AccountFault(FaultKind.NO_ANSWER, f"more than {MAX_PAGES} pages of webhooks")

    def create_inbox(self, step: CreateInbox) -> str | AccountFault:
        """Returns the address of the inbox."""
        body = {"username": step.username, "domain": step.domain, "client_id": step.client_id}
        answer = self._call("POST", "/inboxes", body)
        if isinstance(answer, AccountFault):
            return answer
        return clean_id(answer.content.get("inbox_id")) or AccountFault(
            FaultKind.NO_ANSWER, "the answer has no inbox_id"
        )

    def create_webhook(self, step: CreateWebhook) -> Webhook | AccountFault:
        """Returns the webhook with its secret; a repeat returns the same one."""
        body = {
            "url": step.url,
            "event_types": list(EVENT_TYPES),
            "inbox_ids": [step.inbox_id],
            "client_id": step.client_id,
        }
        return self._read_one(self._call("POST", "/webhooks", body))

    def mend_webhook(self, step: MendWebhook) -> Webhook | AccountFault:
        """Returns the webhook as it is after the change."""
        body: dict[str, Any] = {}
        if step.enable:
            body["enabled"] = True
        if step.event_types:
            body["event_types"] = list(step.event_types)
        if step.add_inbox_id:
            body["add_inbox_ids"] = [step.add_inbox_id]
        return self._read_one(self._call("PATCH", f"/webhooks/{quote(step.webhook_id, safe='')}", body))

    def delete_webhook(self, webhook_id: str) -> AccountFault | None:
        """Returns None once it is gone, also when it was gone before."""
        answer = self._call("DELETE", f"/webhooks/{quote(webhook_id, safe='')}")
        if isinstance(answer, AccountFault) and answer.kind is not FaultKind.MISSING:
            return answer
        return None

    def _read_one(self, answer: _Answer | AccountFault) -> Webhook | AccountFault:
        if isinstance(answer, AccountFault):
            return answer
        webhook = _read_webhook(answer.content)
        return webhook or AccountFault(FaultKind.NO_ANSWER, "the answer has no webhook_id, url or secret")

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, deadline_s: float | None = None
    ) -> _Answer | AccountFault:
        headers = {"Authorization": f"Bearer {self._api_key}", "Accept": "application/json", "User-Agent": "Offload"}
        result = exchange(
            method,
            self._base_url + path,
            headers=headers | ({} if body is None else {"Content-Type": "application/json"}),
            body=None if body is None else orjson.dumps(body),
            connect_timeout_s=CONNECT_S,
            read_timeout_s=self._deadline_s,
            deadline_s=deadline_s or self._deadline_s,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
        if not isinstance(result, Answered):
            return AccountFault(FaultKind.NO_ANSWER, clean_line(result.reason)[:REASON_CHARS])
        try:
            content = load_json(result.body) if result.body else {}
        except (ValueError, RecursionError):
            content = None
        if 200 <= result.status < 300 and isinstance(content, dict):
            return _Answer(content, _read_date(result.headers.get("Date", "")))
        return _read_fault(result.status, content if isinstance(content, dict) else {})


def _read_fault(status: int, content: Mapping[str, Any]) -> AccountFault:
    """Branches on `code`, which is stable; the bare 403 of the gateway before the API has none."""
    code = str(content.get("code") or "")
    words = [str(content[name]) for name in ("code", "message", "fix") if isinstance(content.get(name), str)]
    errors = content.get("errors")
    faults = [fault for fault in errors if isinstance(fault, Mapping)] if isinstance(errors, list) else []
    words += [f"{fault.get('path')}: {fault.get('message')}" for fault in faults]
    reason = " ".join(clean_line(f"{status} {' '.join(words)}").split())[:REASON_CHARS]
    match status:
        case 401:
            kind = FaultKind.KEY
        case 403 if code == "is_taken":
            kind = FaultKind.TAKEN
        case 403:
            kind = FaultKind.PERMISSION if code else FaultKind.KEY
        case 404:
            # In no form that AgentMail answers in: another server stands there.
            kind = FaultKind.MISSING if code else FaultKind.NO_ANSWER
        case 400 | 409 | 413 | 422:
            kind = FaultKind.REFUSED
        case _:
            kind = FaultKind.NO_ANSWER
    return AccountFault(kind, reason)


def _read_webhook(row: Any) -> Webhook | None:
    if not isinstance(row, Mapping):
        return None
    webhook_id, url, secret = clean_id(row.get("webhook_id")), row.get("url"), row.get("secret")
    if not webhook_id or not isinstance(url, str) or not isinstance(secret, str):
        return None
    return Webhook(
        webhook_id,
        url=url,
        secret=secret,
        # Only a plain "no" counts: a provider that does not tell has not disabled it.
        is_enabled=row.get("enabled") is not False,
        event_types=_read_texts(row.get("event_types")),
        inbox_ids=_read_texts(row.get("inbox_ids")),
    )


def _read_texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _read_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
