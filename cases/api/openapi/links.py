"""Says which answer holds the values of which next request, so that tools can follow a case by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class _Link:
    """From the answer `status` of one operation to another one; values are OpenAPI's runtime expressions."""

    source: str
    status: str
    target: str
    parameters: dict[str, str]
    body: dict[str, str] = field(default_factory=dict)


CASE_ID = "$response.body#/data/caseId"
LINKS = (
    _Link("createCase", "201", "getCase", {"caseId": CASE_ID}),
    _Link("createCase", "201", "cancelCase", {"caseId": CASE_ID}),
    _Link("listCases", "200", "getCase", {"caseId": "$response.body#/data/cases/0/caseId"}),
    _Link(
        "getCase",
        "200",
        "getAttachment",
        {"caseId": CASE_ID, "attachmentId": "$response.body#/data/attachments/0/attachmentId"},
    ),
    _Link(
        "getCase",
        "200",
        "provideInput",
        {"caseId": CASE_ID},
        {"inputRequestId": "$response.body#/data/inputRequest/id"},
    ),
)


def add_links(paths: dict[str, Any]) -> None:
    """Puts each link into the answer that it starts from."""
    operations = {operation["operationId"]: operation for path in paths.values() for operation in path.values()}
    for link in LINKS:
        described: dict[str, Any] = {"operationId": link.target, "parameters": link.parameters}
        if link.body:
            described["requestBody"] = link.body
        answer = operations[link.source]["responses"][link.status]
        answer.setdefault("links", {})[link.target] = described
