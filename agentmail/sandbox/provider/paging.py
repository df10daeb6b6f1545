"""Cuts a list into the provider's pages with opaque tokens; must not know what the rows are."""

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from agentmail.sandbox.jsontext import JSONObject
from agentmail.sandbox.provider.call import Call
from agentmail.sandbox.provider.errors import parameter_error

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page's rows and the envelope around them: `count`, `limit` and, unless it is the last, a token."""

    rows: list[Row]
    envelope: JSONObject


def cut_page(call: Call, rows: QuerySet[Row], *, ascending: bool) -> Page[Row]:
    """Returns the page that the call's `limit` and `page_token` ask for, in the order of the rows' ids."""
    key = read_page_token(call, 1)
    if key is not None:
        rows = rows.filter(pk__gt=key[0]) if ascending else rows.filter(pk__lt=key[0])
    limit = call.limit()
    found = list(rows.order_by("pk" if ascending else "-pk")[: limit + 1])
    page = found[:limit]
    return Page(page, make_envelope(len(page), limit, (page[-1].pk,) if len(found) > limit else None))


def make_envelope(count: int, limit: int, next_key: tuple[int, ...] | None) -> JSONObject:
    """Returns the fields around a list; without a key there is no further page."""
    envelope: JSONObject = {"count": count, "limit": limit}
    if next_key is not None:
        text = ".".join(str(part) for part in next_key)
        envelope["next_page_token"] = base64.urlsafe_b64encode(text.encode()).decode()
    return envelope


def read_page_token(call: Call, parts: int) -> tuple[int, ...] | None:
    """Returns the key that the call's token stands for, or None for the first page; raises the provider's 400."""
    token = call.request.GET.get("page_token")
    if token is None:
        return None
    try:
        key = tuple(int(part) for part in base64.urlsafe_b64decode(token.encode()).decode().split("."))
    except (ValueError, binascii.Error):
        key = ()
    if len(key) != parts or any(abs(part) >= 2**63 for part in key):
        raise parameter_error("page_token", "is not a token that this list gave out")
    return key
