"""Which fields a result schema asks for, told leniently; must not validate anything."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_FIELDS = 60
_ACRONYMS = frozenset(("bic", "ein", "eta", "iban", "id", "nda", "pdf", "po", "sku", "ssn", "tin", "url", "vat"))
_TYPES = ("string", "integer", "number", "boolean", "array", "object")


@dataclass(frozen=True, slots=True)
class WantedField:
    """One property of a schema, as far as a person filling it in needs to know."""

    name: str
    title: str = ""
    description: str = ""
    # One of JSON Schema's types, or "" for any. Of several the first that is not null.
    type: str = ""
    format: str = ""
    # The allowed values, () when any will do.
    choices: tuple[Any, ...] = ()
    item_type: str = ""
    item_choices: tuple[Any, ...] = ()
    # The names inside, for an object.
    members: tuple[str, ...] = ()
    required: bool = False

    @property
    def label(self) -> str:
        """The field's name for people: the schema's title, else "legalName" as "Legal name"."""
        return self.title or humanize(self.name)


def humanize(name: str) -> str:
    """Return an identifier as words: "legalName", "legal_name" and "legal-name" are "Legal name", "vatId" "VAT ID"."""
    words = [word.upper() if _is_acronym(word) else word.lower() for word in split_identifier(name)]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def split_identifier(name: str) -> list[str]:
    """Return the words of an identifier, in their own case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word for word in re.split(r"[\s_\-./]+", spaced) if word]


def _is_acronym(word: str) -> bool:
    return (len(word) > 1 and word.isupper()) or word.lower() in _ACRONYMS


def list_wanted_fields(schema: Mapping[str, Any]) -> tuple[WantedField, ...]:
    """Return the schema's top-level properties, the required ones first in their order, at most 60; () without any.

    Where the schema has no `required`, every property is wanted. `{"legalName": "string"}`, which is no JSON Schema
    but what people write, is read as the property it means.
    """
    part = _resolve(schema, schema)
    properties = part.get("properties")
    if not isinstance(properties, Mapping):
        informal = {name: part for name, part in schema.items() if name not in ("type", "$schema") and part in _TYPES}
        properties = informal if len(informal) == len(schema) else {}
    required = part.get("required")
    wanted = [name for name in required if isinstance(name, str)] if isinstance(required, list) else None
    # `required` first: it is a list and keeps the client's order, which the database does not keep for an object.
    # A required name that the schema does not describe is wanted all the same.
    listed = [*(wanted or []), *properties]
    names = list(dict.fromkeys(name for name in listed if isinstance(name, str) and name.strip()))
    return tuple(
        _read_field(name, properties.get(name), schema, required=wanted is None or not wanted or name in wanted)
        for name in names[:MAX_FIELDS]
    )


def _read_field(name: str, part: Any, root: Mapping[str, Any], *, required: bool) -> WantedField:
    if isinstance(part, str):
        part = {"type": part} if part in _TYPES else {"description": part}
    part = _resolve(part, root)
    items = _resolve(part.get("items"), root)
    members = part.get("properties")
    return WantedField(
        name=name,
        title=_one_line(part.get("title"), 80),
        description=_one_line(part.get("description"), 300),
        type=_read_type(part),
        format=_one_line(part.get("format"), 40),
        choices=_read_choices(part),
        item_type=_read_type(items),
        item_choices=_read_choices(items),
        members=tuple(str(member) for member in members) if isinstance(members, Mapping) else (),
        required=required,
    )


def _resolve(part: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow local references and the one real branch of a nullable union, a few steps."""
    for _ in range(5):
        if not isinstance(part, Mapping):
            return {}
        reference = part.get("$ref")
        unions = [part[word] for word in ("anyOf", "oneOf", "allOf") if isinstance(part.get(word), list)]
        branches: list[Any] = unions[0] if unions else []
        real = [branch for branch in branches if isinstance(branch, Mapping) and branch.get("type") != "null"]
        if isinstance(reference, str) and (match := re.fullmatch(r"#/(\$defs|definitions)/([^/]+)", reference)):
            definitions = root.get(match[1])
            target = definitions.get(match[2]) if isinstance(definitions, Mapping) else None
        elif len(real) == 1 and "type" not in part and "properties" not in part:
            target = real[0]
        else:
            return part
        words = {word: text for word, text in part.items() if word in ("title", "description")}
        part = {**target, **words} if isinstance(target, Mapping) else words
    return part if isinstance(part, Mapping) else {}


def _read_type(part: Mapping[str, Any]) -> str:
    types = part.get("type")
    for name in types if isinstance(types, list) else [types]:
        if name in _TYPES:
            return str(name)
    return ""


def _read_choices(part: Mapping[str, Any]) -> tuple[Any, ...]:
    choices = part.get("enum")
    if isinstance(choices, list):
        return tuple(choice for choice in choices if choice is not None)
    return (part["const"],) if "const" in part else ()


def _one_line(text: Any, limit: int) -> str:
    return " ".join(text.split())[:limit] if isinstance(text, str) else ""
