"""The prepared cases that a newcomer opens from the mailbox; must not offer what `POST /cases` would refuse."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from cases.models import Case, Client
from cases.services import NewCase, open_case

CLIENT_NAME = "Sandbox mailbox"


@dataclass(frozen=True, slots=True)
class Sample:
    """One prepared case; `local_part` is what stands before the number in the counterparty's address."""

    title: str
    explanation: str
    objective: str
    knowledge: dict[str, str]
    counterparty_name: str
    counterparty_company: str
    local_part: str
    domain: str
    persona_role: str
    properties: dict[str, Any]


SAMPLES = {
    "w9": Sample(
        title="Collect a signed W-9",
        explanation="Two values and a file. The simplest case, and the one that the documentation uses.",
        objective="Collect a signed W-9 from Maya at Northstar",
        knowledge={"Why": "Invoice 1042 can be paid once the form is on file.", "Deadline": "Friday"},
        counterparty_name="Maya Lindqvist",
        counterparty_company="Northstar",
        local_part="maya",
        domain="northstar.example",
        persona_role="Accounts Payable",
        properties={
            "legalName": {"type": "string", "title": "Legal name", "description": "as on the form"},
            "taxId": {"type": "string", "title": "Tax ID"},
        },
    ),
    "delivery": Sample(
        title="Confirm a delivery date",
        explanation="A date that must be a real one. Try a vague answer and see what the agent makes of it.",
        objective="Confirm the delivery date of purchase order 4711",
        knowledge={"Order": "Purchase order 4711, 40 desks"},
        counterparty_name="Omar Haddad",
        counterparty_company="Harbor Freight",
        local_part="omar",
        domain="harbor.example",
        persona_role="Purchasing",
        properties={
            "deliveryDate": {"type": "string", "format": "date", "title": "Delivery date"},
            "carrier": {"type": "string", "title": "Carrier"},
        },
    ),
    "meeting": Sample(
        title="Find a meeting slot",
        explanation="One of three slots and a phone number. Stay silent, let time pass, and see the follow-ups.",
        objective="Arrange a 30 minute introduction call with Priya",
        knowledge={"Length": "30 minutes, by phone"},
        counterparty_name="Priya Nair",
        counterparty_company="Lumen Labs",
        local_part="priya",
        domain="lumen.example",
        persona_role="Partnerships",
        properties={
            "slot": {"title": "Slot", "enum": ["Tuesday 10:00", "Wednesday 14:00", "Thursday 9:30"]},
            "phone": {"type": "string", "title": "Phone number"},
        },
    ),
}


def open_sample(sample: Sample, now: datetime) -> Case:
    """Opens the case for the mailbox's own API client, as `POST /cases` would; every call opens another one."""
    client, _ = Client.objects.get_or_create(name=CLIENT_NAME)
    return open_case(client, compose_case(sample, number=secrets.token_hex(3)), now=now)


def compose_case(sample: Sample, *, number: str) -> NewCase:
    """Returns what to open. The number makes the address a new one: one that has bounced gets no more mail."""
    return NewCase(
        objective=sample.objective,
        knowledge=dict(sample.knowledge),
        counterparty_name=sample.counterparty_name,
        counterparty_company=sample.counterparty_company,
        counterparty_address=f"{sample.local_part}.{number}@{sample.domain}",
        persona_name="Ana Reyes",
        persona_role=sample.persona_role,
        persona_company="Acme",
        client_reference_id=f"sample-{number}",
        result_schema={"type": "object", "properties": sample.properties, "required": list(sample.properties)},
        client_webhook_url=f"{settings.OFFLOAD_SANDBOX_URL}/sandbox/receiver/",
    )
