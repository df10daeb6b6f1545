"""The bodies that clients send, as DRF serializers, and what they mean for the services; must not touch the database.

The attributes carry the names of the JSON members, which are camelCase (docs/api/create-a-case.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError

from cases.api.errors import make_validation_error
from cases.api.fields import (
    AddressField,
    ChannelField,
    KnowledgeField,
    LineField,
    ObjectField,
    StrictSerializer,
    TextField,
    TextListField,
    TextMapField,
    TimezoneField,
    WebhookUrlField,
    WholeNumberField,
)
from cases.services import NewCase

LONGEST_TEXT = 20_000


class GoalSerializer(StrictSerializer):
    objective = TextField(max_length=LONGEST_TEXT)
    knowledge = KnowledgeField(required=False)


class CounterpartySerializer(StrictSerializer):
    address = AddressField()
    name = LineField(max_length=200)
    company = LineField(max_length=200, may_be_empty=True, required=False)
    timezone = TimezoneField(required=False)
    customData = TextMapField(required=False)


class PersonaSerializer(StrictSerializer):
    name = LineField(max_length=200)
    role = LineField(max_length=200, may_be_empty=True, required=False)
    company = LineField(max_length=200, may_be_empty=True, required=False)
    tone = LineField(max_length=500, may_be_empty=True, required=False)


class NewCaseSerializer(StrictSerializer):
    """The body of `POST /cases`."""

    channel = ChannelField()
    goal = GoalSerializer()
    counterparty = CounterpartySerializer()
    senderPersona = PersonaSerializer()
    clientReferenceId = LineField(max_length=500, may_be_empty=True, required=False)
    constraints = TextListField(max_items=100, max_characters=2_000, required=False)
    maxAttempts = WholeNumberField(low=0, high=1_000, required=False)
    followUpDelayHours = WholeNumberField(low=1, high=8_760, required=False)
    resultSchema = ObjectField(required=False)
    clientWebhookUrl = WebhookUrlField(required=False)
    metadata = ObjectField(required=False)


class AnswerSerializer(StrictSerializer):
    """The body of `POST /cases/{id}/input`."""

    inputRequestId = TextField(max_length=200)
    providedContext = TextField(max_length=LONGEST_TEXT)


@dataclass(frozen=True, slots=True)
class Answer:
    """A human's answer to a question of a case."""

    input_request_id: str
    text: str


# Where each member of the body is kept; a member that was left out takes NewCase's default.
_PLACES = {
    "channel": ("channel",),
    "objective": ("goal", "objective"),
    "knowledge": ("goal", "knowledge"),
    "counterparty_address": ("counterparty", "address"),
    "counterparty_name": ("counterparty", "name"),
    "counterparty_company": ("counterparty", "company"),
    "counterparty_timezone": ("counterparty", "timezone"),
    "counterparty_custom_data": ("counterparty", "customData"),
    "persona_name": ("senderPersona", "name"),
    "persona_role": ("senderPersona", "role"),
    "persona_company": ("senderPersona", "company"),
    "persona_tone": ("senderPersona", "tone"),
    "client_reference_id": ("clientReferenceId",),
    "constraints": ("constraints",),
    "max_attempts": ("maxAttempts",),
    "follow_up_delay_hours": ("followUpDelayHours",),
    "result_schema": ("resultSchema",),
    "client_webhook_url": ("clientWebhookUrl",),
    "metadata": ("metadata",),
}


# Validating changes nothing in a serializer, and building one for each request would cost more than its work.
_NEW_CASE = NewCaseSerializer()
_ANSWER = AnswerSerializer()


def read_new_case(body: dict[str, Any]) -> NewCase:
    """Returns what a body of `POST /cases` asks for. Raises InvalidRequest with all its faults at once."""
    validated = _validate(_NEW_CASE, body)
    given = {}
    for name, path in _PLACES.items():
        value: Any = validated
        for member in path:
            value = value.get(member)
        if value is not None:
            given[name] = value
    return NewCase(**given)


def read_answer(body: dict[str, Any]) -> Answer:
    """Returns the trimmed body of `POST /cases/{id}/input`. Raises InvalidRequest with all its faults at once."""
    validated = _validate(_ANSWER, body)
    return Answer(validated["inputRequestId"].strip(), validated["providedContext"].strip())


def _validate(serializer: StrictSerializer, body: dict[str, Any]) -> dict[str, Any]:
    try:
        validated: dict[str, Any] = serializer.run_validation(body)
    except ValidationError as error:
        raise make_validation_error(error.detail) from None
    return validated
