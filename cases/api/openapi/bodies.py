"""Names and explains the request bodies, member by member; must not repeat a type or limit of `cases.api.serializers`.

Importing this module is enough: drf-spectacular finds the classes by itself.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiSerializerExtension

from cases.services import NewCase

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from drf_spectacular.utils import Direction

Schema = dict[str, Any]

# What a member means when it is left out, where that is a value of ours.
_DEFAULTS = {field.name: field.default for field in fields(NewCase)}


class _BodyExtension(OpenApiSerializerExtension):
    """One name and one text for one serializer, and a sentence for each of its members."""

    name: str
    about: str
    members: dict[str, str]
    defaults: dict[str, Any] = {}

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return self.name

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema = super().map_serializer(auto_schema, direction)
        schema["description"] = self.about
        for member, about in self.members.items():
            schema["properties"][member]["description"] = about
        for member, value in self.defaults.items():
            schema["properties"][member]["default"] = value
        return schema


class DescribeNewCase(_BodyExtension):
    target_class = "cases.api.serializers.NewCaseSerializer"
    name = "NewCase"
    about = "What is to be achieved, with whom, and in whose name. Members that are not listed here are ignored."
    members = {
        "channel": "`SMS` is refused with 400 until an SMS provider is configured.",
        "goal": "What is to be achieved.",
        "counterparty": "The person who is written to.",
        "senderPersona": "Who signs the mails.",
        "clientReferenceId": "Your own id for the case. It is given back everywhere and does not have to be unique.",
        "constraints": "Instructions for the agent, one a string.",
        "maxAttempts": "Automated follow-ups after the first message; 0 for none.",
        "followUpDelayHours": "Hours of silence before a follow-up.",
        "resultSchema": (
            "JSON Schema (draft 2020-12) of the `result` you want. A case does not complete with a result that breaks "
            "it. An object that is no valid JSON Schema guides the agent and checks nothing."
        ),
        "clientWebhookUrl": "Where this case's webhooks go. Without it there are none; poll instead.",
        "metadata": "Any object of yours. It is given back in webhooks, and on request when the case is read.",
    }
    defaults = {
        "maxAttempts": _DEFAULTS["max_attempts"],
        "followUpDelayHours": _DEFAULTS["follow_up_delay_hours"],
    }


class DescribeGoal(_BodyExtension):
    target_class = "cases.api.serializers.GoalSerializer"
    name = "NewCaseGoal"
    about = "What is to be achieved."
    members = {
        "objective": "What is to be achieved, as you would tell a colleague.",
        "knowledge": (
            "What the agent may use to write and to judge. In an object, the member `private` informs its judgement "
            "and never leaves in a mail."
        ),
    }


class DescribeCounterparty(_BodyExtension):
    target_class = "cases.api.serializers.CounterpartySerializer"
    name = "NewCaseCounterparty"
    about = "The person who is written to."
    members = {
        "address": "Exactly one e-mail address, without a name around it.",
        "name": "How the person is addressed.",
        "company": "The person's company.",
        "timezone": "Name of the person's time zone in the IANA database.",
        "customData": "Further facts about the person that the agent may use.",
    }


class DescribePersona(_BodyExtension):
    target_class = "cases.api.serializers.PersonaSerializer"
    name = "NewCaseSenderPersona"
    about = "Who signs the mails."
    members = {
        "name": "The name under the mails.",
        "role": "The sender's role, such as Accounts Payable.",
        "company": "The sender's company.",
        "tone": "How the mails should sound.",
    }


class DescribeAnswer(_BodyExtension):
    target_class = "cases.api.serializers.AnswerSerializer"
    name = "ProvidedInput"
    about = "A human's answer to the active input request of a case. White space around both texts is dropped."
    members = {
        "inputRequestId": "The `inputRequest.id` of the case, or the `inputRequestId` of the webhook.",
        "providedContext": "The answer. The agent knows it from then on and does what it says. It may end the case.",
    }
