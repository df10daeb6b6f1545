"""What a schema asks for, told to people."""

from typing import Any

import pytest

from cases.agent.wanted import WantedField, humanize, list_wanted_fields


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("legalName", "Legal name"),
        ("legal_name", "Legal name"),
        ("legal-name", "Legal name"),
        ("ein", "EIN"),
        ("vatId", "VAT ID"),
        ("IBAN", "IBAN"),
        ("poNumber", "PO number"),
        ("w9", "W9"),
    ],
)
def test_a_name_becomes_words(name: str, words: str) -> None:
    assert humanize(name) == words


def test_required_fields_come_first_in_their_order_and_each_keeps_what_the_schema_says_of_it() -> None:
    fields = list_wanted_fields(
        {
            "properties": {
                "date": {"type": ["string", "null"], "format": "date", "title": "Delivery\ndate"},
                "count": {"$ref": "#/$defs/count", "description": "How many"},
                "size": {"anyOf": [{"type": "null"}, {"enum": ["S", "M"]}]},
                "tags": {"type": "array", "items": {"type": "integer"}},
                "address": {"type": "object", "properties": {"street": {}, "city": {}}},
            },
            "required": ["count", "note"],
            "$defs": {"count": {"type": "integer"}},
        }
    )

    assert fields == (
        WantedField("count", description="How many", type="integer", required=True),
        WantedField("note", required=True),
        WantedField("date", title="Delivery date", type="string", format="date"),
        WantedField("size", choices=("S", "M")),
        WantedField("tags", type="array", item_type="integer"),
        WantedField("address", type="object", members=("street", "city")),
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string"}}},
        {"properties": {"a": "string"}},
        {"a": "string"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": []},
    ],
)
def test_without_required_every_property_is_wanted(schema: dict[str, Any]) -> None:
    assert list_wanted_fields(schema) == (WantedField("a", type="string", required=True),)


@pytest.mark.parametrize("schema", [{"type": "object"}, {"properties": 5}, {"foo": 1}, {"$ref": "#/$defs/none"}])
def test_a_schema_without_properties_wants_no_fields(schema: dict[str, Any]) -> None:
    assert list_wanted_fields(schema) == ()
