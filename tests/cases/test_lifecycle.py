"""The picture of a case's life is drawn from the workflow, and the page shows the one of this code."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from cases.lifecycle import draw_diagram, list_moves
from cases.management.commands.draw_lifecycle import draw_page
from cases.workflow import Status

PAGE = Path(settings.BASE_DIR) / "docs" / "lifecycle.md"


def test_the_page_shows_what_the_workflow_does() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert draw_page(page) == page, "run: python3 manage.py draw_lifecycle"


def test_every_live_status_has_a_way_to_both_ends() -> None:
    ends = {
        name: {move.end for move in list_moves() if move.start == name} for name in ("CREATED", "RUNNING", "ANSWERED")
    }

    assert ends["CREATED"] == set(Status) - {"CREATED"}
    assert ends["RUNNING"] == set(Status) - {"CREATED"}
    assert ends["ANSWERED"] == set(Status) - {"CREATED"}


def test_while_a_question_stands_only_an_end_is_drawn() -> None:
    assert {move.end for move in list_moves() if move.start == "INPUT_NEEDED"} == {"COMPLETED", "FAILED"}


def test_the_client_is_told_of_every_end_and_every_question_and_of_nothing_else() -> None:
    told = {"COMPLETED": "case.completed", "FAILED": "case.failed", "INPUT_NEEDED": "case.input_needed", "RUNNING": ""}

    assert all(move.webhook == told[move.end] for move in list_moves())


def test_the_diagram_names_every_status() -> None:
    assert all(status.value in draw_diagram() for status in Status)
