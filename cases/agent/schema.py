"""A tenant's resultSchema made safe to run: validation and the fields it asks for; must never fetch or hang.

The schema and the values both come from outsiders. What jsonschema does by default with such a schema (fetch a
remote `$ref` over HTTP, recurse for ever, match a catastrophic pattern) is refused or bounded here. A schema that
cannot be run safely is guidance only: it still tells which fields are wanted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema
import referencing
import regex
from jsonschema import validators

from cases.agent.wanted import WantedField, list_wanted_fields

MAX_SCHEMA_BYTES = 32_000
MAX_SCHEMA_DEPTH = 32
MAX_PATTERN_CHARS = 200
MAX_STEPS = 20_000
PATTERN_SECONDS = 0.1
DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"

_SCHEMA_KEYWORDS = (
    *("additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems", "contains", "propertyNames"),
    *("not", "if", "then", "else"),
)
_SCHEMA_LIST_KEYWORDS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMA_MAP_KEYWORDS = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_REFUSED_KEYWORDS = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary")
_LOCAL_REF = re.compile(r"#|#/(\$defs|definitions)/([\w.-]+)")


class _Refused(Exception):
    """This schema may not be run."""


class _TooMuchWork(Exception):
    """Validation went past its step or time limit."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a result does not satisfy the schema; `field` is the top-level property, "" for the whole."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaIsGuidance:
    """A schema that cannot be checked against: `fields` still says, as well as can be told, what is wanted."""

    reason: str
    fields: tuple[WantedField, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultSchema:
    """A schema that is safe to check results against. Made by `compile_result_schema` only."""

    schema: Mapping[str, Any]
    fields: tuple[WantedField, ...]

    def validate(self, result: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with the result as readable sentences, at most 20; [] when it satisfies the schema."""
        return [f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in self.check(result)]

    def check(self, result: Mapping[str, Any]) -> list[Fault]:
        """Return the faults with the property each belongs to, at most 20; never raises and always ends."""
        budget = _STEPS.set([MAX_STEPS])
        try:
            validator = _SafeValidator(self.schema, registry=referencing.Registry(), format_checker=_FORMATS)
            return [_describe(error) for error, _ in zip(validator.iter_errors(dict(result)), range(20), strict=False)]
        except _TooMuchWork:
            return [Fault("", "the schema takes too much work to check this result")]
        except RecursionError:
            return [Fault("", "the schema refers to itself without end")]
        except Exception as error:
            # jsonschema raises many kinds on a schema that passed its own metaschema; none may pass for valid.
            return [Fault("", f"the schema could not be applied ({type(error).__name__})")]
        finally:
            _STEPS.reset(budget)


def compile_result_schema(schema: Mapping[str, Any] | None) -> ResultSchema | SchemaIsGuidance:
    """Return the schema ready to check results with, or why it can only be guidance; never raises, calls nobody.

    Only draft 2020-12 with local references runs (limits: 32 kB, 32 levels, patterns of 200 characters
    without nested quantifiers). None and {} are guidance that asks for nothing.
    """
    if not schema:
        return SchemaIsGuidance("there is no schema")
    try:
        _check_size(schema)
    except _Refused as refusal:
        return SchemaIsGuidance(str(refusal))
    return _compile(json.dumps(schema, default=dict))


# A client's cases share a schema, and to check it takes longer than to check a result with it. At most 8 MB.
@lru_cache(maxsize=256)
def _compile(text: str) -> ResultSchema | SchemaIsGuidance:
    schema: dict[str, Any] = json.loads(text)
    fields = list_wanted_fields(schema)
    try:
        _check_root(schema)
        for part in _walk(schema):
            _check_part(part, schema)
        jsonschema.Draft202012Validator.check_schema(schema, format_checker=_FORMATS)
    except _Refused as refusal:
        return SchemaIsGuidance(str(refusal), fields)
    except jsonschema.SchemaError as error:
        where = "/".join(str(step) for step in error.absolute_path)
        return SchemaIsGuidance(f"it is no valid JSON Schema: {error.message[:200]} (at /{where})", fields)
    except (RecursionError, re.error, TypeError, ValueError) as error:
        return SchemaIsGuidance(f"it is no valid JSON Schema ({type(error).__name__})", fields)
    return ResultSchema(schema, fields)


def _check_size(schema: Mapping[str, Any]) -> None:
    level: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        level = [
            member
            for value in level
            for member in (value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ())
        ]
        if not level:
            break
    else:
        raise _Refused(f"it is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    try:
        size = len(json.dumps(schema, default=dict, ensure_ascii=False).encode("utf-8", "replace"))
    except (TypeError, ValueError, RecursionError):
        raise _Refused("it is not JSON") from None
    if size > MAX_SCHEMA_BYTES:
        raise _Refused(f"it is larger than {MAX_SCHEMA_BYTES} bytes")


def _check_root(schema: Mapping[str, Any]) -> None:
    named = schema.get("$schema", DRAFT_2020_12)
    if not isinstance(named, str) or named.rstrip("#") != DRAFT_2020_12:
        raise _Refused(f"its $schema is not {DRAFT_2020_12}")
    types = schema.get("type", "object")
    if types != "object" and not (isinstance(types, list) and "object" in types):
        raise _Refused("a result is always an object, and the schema asks for another type")
    known = set(jsonschema.Draft202012Validator.VALIDATORS) | {"type", "title", "description", "$schema", "$defs"}
    if not known & set(schema):
        raise _Refused("it has no keyword of JSON Schema")


def _walk(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every subschema. A property that is itself called "pattern" or "$ref" is not mistaken for a keyword."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        yield part
        waiting.extend(part[keyword] for keyword in _SCHEMA_KEYWORDS if keyword in part)
        for keyword in _SCHEMA_LIST_KEYWORDS:
            if isinstance(part.get(keyword), list):
                waiting.extend(part[keyword])
        for keyword in _SCHEMA_MAP_KEYWORDS:
            if isinstance(part.get(keyword), Mapping):
                waiting.extend(part[keyword].values())


def _check_part(part: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    for keyword in _REFUSED_KEYWORDS:
        if keyword in part:
            raise _Refused(f"it uses {keyword}, which is not supported")
    if "$ref" in part:
        _check_reference(part["$ref"], root)
    patterns: list[Any] = [part["pattern"]] if "pattern" in part else []
    if isinstance(part.get("patternProperties"), Mapping):
        patterns.extend(part["patternProperties"])
    for pattern in patterns:
        _check_pattern(pattern)


def _check_reference(reference: Any, root: Mapping[str, Any]) -> None:
    match = _LOCAL_REF.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise _Refused("it has a $ref that is not of the form #/$defs/name")
    if match[1]:
        definitions = root.get(match[1])
        if not isinstance(definitions, Mapping) or match[2] not in definitions:
            raise _Refused(f"its $ref {match[0]} points at nothing")


def _check_pattern(pattern: Any) -> None:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
        raise _Refused(f"it has a pattern that is no text of up to {MAX_PATTERN_CHARS} characters")
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError):
        raise _Refused("it has a pattern that is no regular expression") from None
    if _nests_quantifiers(pattern):
        raise _Refused("it has a pattern that repeats a repetition")


def _nests_quantifiers(pattern: str) -> bool:
    """Say whether a group that repeats inside is itself repeated, like `(a+)+`."""
    plain = re.sub(r"\\.", "x", pattern, flags=re.DOTALL)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", plain)
    repeats_inside = [False]
    repetition = re.compile(r"[*+]|\{\d*,\d*\}|\{\d{2,}\}")
    position = 0
    while position < len(plain):
        char = plain[position]
        if char == "(":
            repeats_inside.append(False)
        elif char == ")" and len(repeats_inside) > 1:
            inner = repeats_inside.pop()
            if inner and repetition.match(plain, position + 1):
                return True
            repeats_inside[-1] = repeats_inside[-1] or inner
        elif repetition.match(plain, position):
            repeats_inside[-1] = True
        position += 1
    return False


def _describe(error: jsonschema.ValidationError) -> Fault:
    path = [str(step) for step in error.absolute_path]
    message = error.message if len(error.message) <= 300 else f"{error.message[:300]}…"
    if error.validator == "required" and not path:
        missing = re.match(r"'(.*)' is a required property", error.message)
        return Fault(missing[1] if missing else "", "is missing")
    if len(path) > 1:
        message = f"{message} (at {'/'.join(path)})"
    return Fault(path[0] if path else "", message)


_STEPS: ContextVar[list[int]] = ContextVar("steps left in this validation")


def _counted(keyword: Any) -> Any:
    """Return the keyword's check, made to stop the validation after MAX_STEPS: references can multiply the work."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        steps = _STEPS.get()
        steps[0] -= 1
        if steps[0] < 0:
            raise _TooMuchWork
        return keyword(validator, value, instance, schema)

    return check


def _search(pattern: str, text: str) -> bool:
    """Say whether the pattern occurs. The standard library's `re` has no way to stop a hostile one."""
    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        raise _TooMuchWork from None


def _check_pattern_keyword(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not _search(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _check_pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, part in patterns.items():
            for name, value in instance.items():
                if _search(pattern, name):
                    yield from validator.descend(value, part, path=name, schema_path=pattern)


# typeshed leaves `extend` without types.
_extend: Any = validators.extend
_SafeValidator: Any = _extend(
    jsonschema.Draft202012Validator,
    {keyword: _counted(check) for keyword, check in jsonschema.Draft202012Validator.VALIDATORS.items()}
    | {
        "pattern": _counted(_check_pattern_keyword),
        "patternProperties": _counted(_check_pattern_properties),
    },
)

# Our own formats rather than jsonschema's: which of those exist depends on what else happens to be installed.
_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


@_FORMATS.checks("time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or time.fromisoformat(value) is not None


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+", value) is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and not re.search(r"\s", value))


@_FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@_FORMATS.checks("ipv4", raises=ValueError)
def _is_ipv4(value: object) -> bool:
    return not isinstance(value, str) or bool(IPv4Address(value))


@_FORMATS.checks("ipv6", raises=ValueError)
def _is_ipv6(value: object) -> bool:
    return not isinstance(value, str) or bool(IPv6Address(value))
