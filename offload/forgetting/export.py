"""Hands out all that is kept of one client, one JSON object a line; must not hold more than a piece of it in memory.

Lines of one case stand together: the case first, then what belongs to it. Values are as they are stored; times are in
ISO 8601, UTC. Keys, digests and the secrets of webhooks are not handed out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet

from agentmail.models import InboundEmail, OutboundEmail
from cases.models import AgentRun, Attachment, Case, CaseEvent, Client, InputRequest
from cases.notes import CaseNote
from webhooks.models import Delivery, DeliveryAttempt

# Rows that are read at a time, by a cursor on the server.
PIECE = 500
# Of a row, what says something about the installation and not about the client.
LEFT_OUT = frozenset(
    {
        "payload_hash", "lease_until", "leased_by", "nudged_at", "nudges", "idempotency_key", "label", "clock_offset",
        "clock_moves",
    }
)  # fmt: skip
# In the order of a case's lines: kind, model, and the field that names the case.
PARTS: tuple[tuple[str, type[Model], str], ...] = (
    ("question", InputRequest, "case_id"),
    ("attachment", Attachment, "case_id"),
    ("event", CaseEvent, "case_id"),
    ("agent_run", AgentRun, "case_id"),
    ("note", CaseNote, "case_id"),
    ("sent_mail", OutboundEmail, "owner"),
    ("received_mail", InboundEmail, "owner"),
    ("webhook", Delivery, "owner"),
    ("webhook_attempt", DeliveryAttempt, "delivery__owner"),
)


def export_client(client: Client, *, has_notes: bool = False) -> Iterator[str]:
    """Yields a line for the client, for each of its cases, oldest first, and for all that belongs to each case.

    Staff write their notes for each other: they are in it only with `has_notes`.
    """
    parts = [part for part in PARTS if has_notes or part[1] is not CaseNote]
    yield _write("client", client)
    cases: QuerySet[Case] = Case.objects.filter(client=client).order_by("created_at", "id")
    for case in cases.iterator(chunk_size=PIECE):
        yield _write("case", case)
        for kind, model, owner in parts:
            rows = model._default_manager.filter(**{owner: case.id}).order_by("pk")
            for row in rows.iterator(chunk_size=PIECE):
                yield _write(kind, row)


def _write(kind: str, row: Model) -> str:
    values: dict[str, Any] = {
        field.attname: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if field.attname not in LEFT_OUT
    }
    return json.dumps({"line": kind} | values, cls=DjangoJSONEncoder, ensure_ascii=False)
