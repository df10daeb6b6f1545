"""A tenant's schema: checked where it is safe, guidance where it is not, and never a call or a hang."""

import socket
import time
from typing import Any

import pytest

from cases.agent.schema import ResultSchema, SchemaIsGuidance, compile_result_schema
from tests.cases.agent.builders import W9_RESULT, W9_SCHEMA


def compile_safe(schema: dict[str, Any]) -> ResultSchema:
    compiled = compile_result_schema(schema)
    assert isinstance(compiled, ResultSchema), compiled
    return compiled


def test_a_result_that_fits_has_no_faults() -> None:
    assert compile_safe(W9_SCHEMA).validate(W9_RESULT) == []


def test_faults_name_the_field() -> None:
    faults = compile_safe(W9_SCHEMA).validate({"legalName": 5, "ein": "12", "taxClassification": "LLC"})

    assert sorted(faults) == [r"ein: '12' does not match '^\\d{2}-\\d{7}$'", "legalName: 5 is not of type 'string'"]


def test_missing_and_surplus_fields_are_faults() -> None:
    faults = compile_safe(W9_SCHEMA).validate({"legalName": "N", "taxClassification": "LLC", "extra": 1})

    assert sorted(faults) == [
        "Additional properties are not allowed ('extra' was unexpected)",
        "ein: is missing",
    ]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("date", "2027-03-03", "2027-02-30"),
        ("date", "2027-03-03", "3 March"),
        ("date-time", "2027-03-03T10:00:00Z", "2027-03-03T10:00:00"),
        ("email", "maya@northstar.example", "maya at northstar"),
        ("uri", "https://northstar.example/a", "northstar"),
        ("uuid", "6f1f7f3e-58f2-4f43-9a5e-0d5e0f3a9a11", "6f1f"),
        ("ipv4", "192.0.2.1", "192.0.2.300"),
        ("ipv6", "2001:db8::1", "2001:db8::g"),
        ("time", "10:30:00", "25:00:00"),
    ],
)
def test_formats_are_checked(kind: str, good: str, bad: str) -> None:
    schema = compile_safe({"type": "object", "properties": {"value": {"type": "string", "format": kind}}})

    assert schema.validate({"value": good}) == []
    assert schema.validate({"value": bad}) == [f"value: {bad!r} is not a '{kind}'"]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (None, "there is no schema"),
        ({}, "there is no schema"),
        ({"type": "array"}, "a result is always an object, and the schema asks for another type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "its $schema is not"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "it has a $ref that is not of the form"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "its $ref #/$defs/none points at nothing"),
        ({"$id": "https://example.com/", "type": "object"}, "it uses $id, which is not supported"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "it uses $dynamicRef, which is not supported"),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, "it has a pattern that repeats a repetition"),
        ({"properties": {"a": {"pattern": "((a*b)*c)*"}}}, "it has a pattern that repeats a repetition"),
        ({"properties": {"a": {"pattern": "(x{1,50}){2,}"}}}, "it has a pattern that repeats a repetition"),
        ({"patternProperties": {"(a+)+": True}}, "it has a pattern that repeats a repetition"),
        ({"properties": {"a": {"pattern": "a" * 201}}}, "it has a pattern that is no text of up to 200 characters"),
        ({"properties": {"a": {"pattern": "("}}}, "it has a pattern that is no regular expression"),
        ({"properties": {"a": {"type": "text"}}}, "it is no valid JSON Schema"),
        ({"type": "object", "minProperties": "x"}, "it is no valid JSON Schema"),
        ({"legalName": "string"}, "it has no keyword of JSON Schema"),
        ({"type": "object", "description": "x" * 32_000}, "it is larger than 32000 bytes"),
    ],
)
def test_a_schema_that_may_not_run_is_guidance(schema: dict[str, Any] | None, reason: str) -> None:
    compiled = compile_result_schema(schema)

    assert isinstance(compiled, SchemaIsGuidance)
    assert compiled.reason.startswith(reason)


def test_a_schema_nested_too_deep_is_guidance() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3_000):
        deep = {"properties": {"a": deep}}

    compiled = compile_result_schema(deep)

    assert compiled == SchemaIsGuidance("it is nested deeper than 32 levels")


def test_a_harmless_pattern_is_checked() -> None:
    schema = compile_safe({"properties": {"code": {"pattern": r"^[A-Z]{2}-\d{4}( \(old\))?$"}}})

    assert schema.validate({"code": "AB-1234 (old)"}) == []
    assert len(schema.validate({"code": "AB-12"})) == 1


def test_properties_named_like_keywords_are_properties() -> None:
    schema = compile_safe({"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}})

    assert schema.validate({"$ref": "http://example.com", "pattern": "(a+)+"}) == []


def test_a_remote_reference_is_never_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        compiled = compile_result_schema({"properties": {"a": {"$ref": f"http://127.0.0.1:{port}/schema.json"}}})
        with pytest.raises(TimeoutError):
            server.accept()

    assert isinstance(compiled, SchemaIsGuidance)


def test_a_catastrophic_pattern_ends_and_does_not_pass() -> None:
    schema = compile_safe({"properties": {"a": {"pattern": "^(a|a)+$"}}})
    started = time.perf_counter()

    faults = schema.validate({"a": "a" * 60 + "b"})

    assert faults == ["the schema takes too much work to check this result"]
    assert time.perf_counter() - started < 5


def test_references_that_multiply_end_and_do_not_pass() -> None:
    definitions: dict[str, Any] = {f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}] * 2} for i in range(60)}
    schema = compile_safe({"properties": {"a": {"$ref": "#/$defs/n0"}}, "$defs": {**definitions, "n60": {}}})

    assert schema.validate({"a": "x"}) == ["the schema takes too much work to check this result"]


def test_a_schema_that_is_its_own_reference_ends_and_does_not_pass() -> None:
    schema = compile_safe({"$ref": "#"})

    assert schema.validate({}) == ["the schema refers to itself without end"]


def test_a_recursive_schema_is_checked_to_its_depth() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/node"}}}
    schema = compile_safe({"properties": {"tree": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}})

    assert schema.validate({"tree": {"name": "a", "child": {"name": "b"}}}) == []
    assert schema.validate({"tree": {"child": {"name": 1}}}) == ["tree: 1 is not of type 'string' (at tree/child/name)"]


def test_at_most_twenty_faults_are_listed() -> None:
    schema = compile_safe({"required": [f"f{i}" for i in range(50)]})

    assert len(schema.validate({})) == 20
