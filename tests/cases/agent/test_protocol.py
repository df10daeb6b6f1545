"""The seam: what a view may hold, and a draft that survives the database."""

import dataclasses
import json
from typing import Any

import pytest

from cases.agent.protocol import AgentTemporary, CaseView, Draft
from tests.cases.agent.builders import build_view


def test_a_draft_read_back_from_json_is_the_same_draft() -> None:
    draft = Draft(subject="Signed W-9", body="Hello Zoë,\n\nplease.", rationale="first message")

    assert Draft.from_json(json.loads(json.dumps(draft.to_json()))) == draft


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"kind": "DRAFT", "subject": "a", "body": "b"},
        {"kind": "REQUIRES_REPLY", "subject": "", "body": "", "rationale": ""},
    ],
)
def test_what_is_no_draft_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a stored draft"):
        Draft.from_json(stored)


def test_a_view_holds_neither_an_address_nor_the_cases_id() -> None:
    names = {field.name for field in dataclasses.fields(CaseView)}

    assert not {name for name in names if "address" in name or "email" in name or name in ("id", "case_id", "owner")}


def test_a_view_cannot_be_changed() -> None:
    view = build_view()

    with pytest.raises(dataclasses.FrozenInstanceError):
        view.objective = "Something else"  # type: ignore[misc]


def test_a_temporary_error_says_when_to_come_back() -> None:
    assert AgentTemporary("limited", retry_after_s=30).retry_after_s == 30
    assert AgentTemporary("cut").retry_after_s is None
