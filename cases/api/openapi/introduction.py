"""What the description says before its first route."""

from __future__ import annotations

from cases.api.openapi.operations import ATTACHMENTS, CASES, HUMANS
from cases.api.openapi.schemas import Schema
from cases.api.parsing import MAX_BYTES, MAX_DEPTH, MAX_VALUES

ABOUT = f"""Hand a piece of coordination with an outside person to Offload and get the outcome back.

**Requests** carry a key in the header `x-api-key`. Bodies are JSON objects in plain UTF-8, sent as
`content-type: application/json` with a `Content-Length`: at most {MAX_BYTES:,} bytes, {MAX_DEPTH} levels and
{MAX_VALUES:,} values, integers within 64 bits, no member twice in one object, no NUL and no half of a surrogate pair
in a text. Members and parameters that are not listed here are ignored and not stored, misspelt ones too.

**Answers** are `{{"ok": true, "data": …}}` or `{{"ok": false, "error": {{"code", "message", "details"?}}}}`, for every
error. An unknown route answers `404 NOT_FOUND`, then the key is looked at (`401`, `403`, `429`), then the method
(`405 METHOD_NOT_ALLOWED` with the header `Allow`), then all else. A refused request has changed nothing. Every route
that takes `GET` takes `HEAD`.

**Values.** Times are integers, Unix milliseconds, but for an attachment's `expiresAt`. A member that was not given is
absent; `null` stands only where this description says so. Be ready for members, error codes and values of
`resultStatus` that you do not know: they may be added. Nothing is taken away and nothing changes its meaning without
an entry in the changelog.

**Webhooks** go to a case's `clientWebhookUrl`; they stand below the routes.

**Limits.** Too many requests in a minute get `429 RATE_LIMITED` with `Retry-After`.
"""

TAGS: list[Schema] = [
    {"name": CASES[0], "description": "Hand cases over, follow them, end them."},
    {"name": HUMANS[0], "description": "Answer what the agent asks a human on your side."},
    {"name": ATTACHMENTS[0], "description": "Files that came with mails."},
]
