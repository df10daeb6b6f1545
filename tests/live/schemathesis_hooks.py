"""Keeps generated webhooks on this machine, gives each request a key of its own and closes the schemas of answers.

Changes no refusal.
"""

from __future__ import annotations

import os
import re
from itertools import count
from typing import Any

import schemathesis

from tests.cases.api.closing import close
from webhooks.address import check_url

RECEIVER = os.environ["WEBHOOK_RECEIVER"]
_numbers = count()


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    raw_schema.update(close(raw_schema))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    body = case.body
    url = body.get("clientWebhookUrl") if isinstance(body, dict) else None
    if isinstance(url, str) and check_url(url, allow_private=True) is None:
        case.body = body | {"clientWebhookUrl": RECEIVER}
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key.strip() and re.fullmatch("[ -~]{1,255}", key):
        # Short ones come again and again, and all but the first request with one would only be told so.
        case.headers["Idempotency-Key"] = f"request-{next(_numbers)}"
