"""Closes the published description, which is open for what may come; must not need Django.

A client lives with members and error codes that come later. A test must find the one that nobody described.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

_REFERENCE = re.compile(r"'#/components/schemas/(\w+)'")


def close(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy whose answers and webhooks take no other member and no other error code.

    What only a request body refers to stays open: its unknown members are ignored.
    """
    closed = deepcopy(document)
    for name in list_answered(document):
        _close(closed["components"]["schemas"][name])
    _close(closed["paths"])
    _close(closed["components"]["responses"])
    return closed


def list_answered(document: dict[str, Any]) -> set[str]:
    """Returns the names of the components that answers and webhooks are made of."""
    components = document["components"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    answers: list[Any] = [operation["responses"] for operation in operations]
    waiting = _REFERENCE.findall(repr([*answers, components["responses"], document["webhooks"]]))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _REFERENCE.findall(repr(components["schemas"][name]))
    return found


def _close(node: Any) -> None:
    if isinstance(node, list):
        for inner in node:
            _close(inner)
    elif isinstance(node, dict):
        if node.get("type") == "object" and isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
        if "x-error-codes" in node:
            codes = {"enum": node["x-error-codes"]}
            # Beside a reference they are those of the error in it.
            node |= {"properties": {"error": {"properties": {"code": codes}}}} if "$ref" in node else codes
        for inner in list(node.values()):
            _close(inner)
