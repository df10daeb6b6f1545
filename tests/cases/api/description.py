"""Judges answers by the description as clients download it, closed; must not read the code that makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client as HttpClient
from jsonschema import Draft202012Validator

from tests.cases.api.closing import close


@dataclass(frozen=True)
class Operation:
    path: str
    method: str
    text: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.text["operationId"])


class Description:
    """`/openapi.json`, and whether something keeps to it.

    published: as it is sent. document: without room for members and error codes to come (tests.cases.api.closing).
    """

    def __init__(self) -> None:
        answer = HttpClient().get("/openapi.json")
        assert answer.status_code == 200
        self.published: dict[str, Any] = json.loads(answer.content)
        self.document = close(self.published)

    def get_schema(self, name: str) -> dict[str, Any]:
        schema: dict[str, Any] = self.document["components"]["schemas"][name]
        return schema

    def list_operations(self) -> list[Operation]:
        return [
            Operation(path, method, text)
            for path, methods in self.document["paths"].items()
            for method, text in methods.items()
        ]

    def get_operation(self, name: str) -> Operation:
        [found] = [operation for operation in self.list_operations() if operation.name == name]
        return found

    def list_faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        """Returns what is wrong with a value, each fault with its place."""
        whole = schema | {"components": self.document["components"]}
        validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def check_answer(self, name: str, answer: HttpResponse) -> dict[str, Any]:
        """Returns the body of an answer, after proof that status, headers and body are what the operation says."""
        responses = self.get_operation(name).text["responses"]
        assert str(answer.status_code) in responses, f"{name} says nothing of {answer.status_code}"
        return self.check_response(responses[str(answer.status_code)], answer)

    def check_response(self, response: dict[str, Any], answer: HttpResponse) -> dict[str, Any]:
        """Returns the body of an answer, after proof that headers and body are what the response says."""
        [(content_type, content)] = response["content"].items()
        assert answer.headers["Content-Type"] == content_type
        for header, described in response.get("headers", {}).items():
            given = answer.headers.get(header)
            assert given is not None or not described.get("required"), f"{header} is missing"
            if given is not None:
                value = int(given) if described["schema"]["type"] == "integer" else given
                assert self.list_faults(described["schema"], value) == []
        body: dict[str, Any] = json.loads(answer.content)
        assert self.list_faults(content["schema"], body) == []
        return body

    def list_examples(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """Yields place, schema and value of every example that stands beside a schema."""
        yield from _walk("", self.document)


def _walk(place: str, node: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict) and isinstance(node.get("examples"), dict):
            for name, example in node["examples"].items():
                yield f"{place}/{name}", node["schema"], example["value"]
        # In a schema, `examples` is a list of values of its own; elsewhere the word may be anybody's member.
        if isinstance(node.get("examples"), list) and "type" in node:
            for number, value in enumerate(node["examples"]):
                yield f"{place}/{number}", node, value
        for name, inner in node.items():
            if name not in ("examples", "value"):
                yield from _walk(f"{place}/{name}", inner)
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from _walk(f"{place}/{number}", inner)


def is_outside(url: str) -> bool:
    """Whether a browser would leave the server for this URL."""
    return bool(urlsplit(url).netloc)
