"""Says in JSON Schema what each strict field of a request body takes; must not repeat a limit that a field holds.

Importing this module is enough: drf-spectacular finds the classes by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension

from cases.api.fields import MAX_ADDRESS

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from drf_spectacular.utils import Direction

Schema = dict[str, Any]

# Some character that is no white space.
NOT_BLANK = r"\S"
# What fields.LineField refuses: control characters, the two Unicode line ends, and what turns the direction of writing.
_BREAKING = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"
ONE_LINE = f"^[^{_BREAKING}]*$"
ONE_LINE_NOT_BLANK = rf"^[^{_BREAKING}]*[^\s{_BREAKING}][^{_BREAKING}]*$"

# References, as a generator makes one type of a component and another one of each place that spells it out.
ANY_OBJECT: Schema = {"$ref": "#/components/schemas/JsonObject"}
CHANNEL: Schema = {"$ref": "#/components/schemas/Channel"}
TEXT_OR_OBJECT: Schema = {"oneOf": [{"type": "string"}, ANY_OBJECT]}
TEXT_MAP: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
TIME_ZONE: Schema = {"type": "string", "format": "iana-time-zone", "examples": ["Europe/Berlin"]}
WEB_ADDRESS: Schema = {"type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}


def map_text(field: Any) -> Schema:
    """Returns the schema of a TextField."""
    schema: Schema = {"type": "string", "maxLength": field.max_characters}
    return schema if field.may_be_empty else schema | {"minLength": 1, "pattern": NOT_BLANK}


def map_line(field: Any) -> Schema:
    """Returns the schema of a LineField."""
    return map_text(field) | {"pattern": ONE_LINE if field.may_be_empty else ONE_LINE_NOT_BLANK}


class _FieldExtension(OpenApiSerializerFieldExtension):
    """One schema for one class of fields."""

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        return self.describe(self.target)

    def describe(self, field: Any) -> Schema:
        raise NotImplementedError


class DescribeText(_FieldExtension):
    target_class = "cases.api.fields.TextField"

    def describe(self, field: Any) -> Schema:
        return map_text(field)


class DescribeLine(_FieldExtension):
    target_class = "cases.api.fields.LineField"

    def describe(self, field: Any) -> Schema:
        return map_line(field)


class DescribeAddress(_FieldExtension):
    target_class = "cases.api.fields.AddressField"

    def describe(self, field: Any) -> Schema:
        return {"type": "string", "format": "email", "maxLength": MAX_ADDRESS}


class DescribeWholeNumber(_FieldExtension):
    target_class = "cases.api.fields.WholeNumberField"

    def describe(self, field: Any) -> Schema:
        return {"type": "integer", "format": "int32", "minimum": field.low, "maximum": field.high}


class DescribeObject(_FieldExtension):
    target_class = "cases.api.fields.ObjectField"

    def describe(self, field: Any) -> Schema:
        return dict(ANY_OBJECT)


class DescribeKnowledge(_FieldExtension):
    target_class = "cases.api.fields.KnowledgeField"

    def describe(self, field: Any) -> Schema:
        return dict(TEXT_OR_OBJECT)


class DescribeTextMap(_FieldExtension):
    target_class = "cases.api.fields.TextMapField"

    def describe(self, field: Any) -> Schema:
        return dict(TEXT_MAP)


class DescribeTextList(_FieldExtension):
    target_class = "cases.api.fields.TextListField"

    def describe(self, field: Any) -> Schema:
        return {"type": "array", "items": map_text(field.child), "maxItems": field.max_items}


class DescribeTimezone(_FieldExtension):
    target_class = "cases.api.fields.TimezoneField"

    def describe(self, field: Any) -> Schema:
        return TIME_ZONE | {"minLength": 1, "maxLength": field.max_characters}


class DescribeWebhookUrl(_FieldExtension):
    target_class = "cases.api.fields.WebhookUrlField"

    def describe(self, field: Any) -> Schema:
        return WEB_ADDRESS | {"maxLength": field.max_characters}


class DescribeChannel(_FieldExtension):
    target_class = "cases.api.fields.ChannelField"

    def describe(self, field: Any) -> Schema:
        return dict(CHANNEL)
