"""All that is kept of one client comes out as JSON lines, nothing of another's, and no secret."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from offload.forgetting.export import LEFT_OUT, PARTS
from tests.cases.factories import OPENED_AT, CaseFactory, make_api_key
from tests.offload.test_erase_person import NAME, make_person

pytestmark = pytest.mark.django_db


def run(name: str, *options: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    call_command("export_client", name, *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_every_part_of_every_case_is_a_line_of_its_own_behind_its_case() -> None:
    case = make_person()
    second = CaseFactory.create(client=case.client, created_at=OPENED_AT + timedelta(hours=1))
    make_person()

    lines = run(case.client.name, "--notes")

    kinds = [line["line"] for line in lines]
    assert kinds == ["client", "case", *(kind for kind, _, _ in PARTS), "case"]
    assert [line["id"] for line in lines if line["line"] == "case"] == [str(case.id), str(second.id)]
    assert lines[1]["counterparty_name"] == NAME
    assert lines[1]["created_at"] == "2026-11-24T10:00:00Z"
    assert lines[1]["result"]["said"].startswith(NAME)


def test_notes_of_staff_stay_inside_unless_they_are_asked_for() -> None:
    case = make_person()

    kinds = [line["line"] for line in run(case.client.name)]

    assert kinds == ["client", "case", *(kind for kind, _, _ in PARTS if kind != "note")]


def test_no_key_and_nothing_of_the_installation_comes_out() -> None:
    case = make_person()
    _, key = make_api_key(client=case.client)

    text = json.dumps(run(case.client.name))

    assert key[:12] not in text
    assert not any(f'"{name}":' in text for name in LEFT_OUT)


def test_a_client_that_is_not_there_is_named_with_the_command_that_lists_them() -> None:
    with pytest.raises(CommandError, match=r'There is no client "Acme"\. manage\.py list_keys'):
        run("Acme")
