"""Writes docs/lifecycle.md's picture and table anew from the workflow; must not touch the words around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cases.lifecycle import draw_diagram, write_table

PAGE = Path(settings.BASE_DIR) / "docs" / "lifecycle.md"


def draw_page(page: str) -> str:
    """Returns the page with what stands between its markers replaced. Raises ValueError when a marker is missing."""
    for name, content in (("diagram", f"```mermaid\n{draw_diagram()}\n```"), ("table", write_table())):
        opening, closing = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, found_opening, rest = page.partition(opening)
        _, found_closing, after = rest.partition(closing)
        if not (found_opening and found_closing):
            raise ValueError(f"<!-- {name} --> and <!-- /{name} -->")
        page = before + opening + content + closing + after
    return page


class Command(BaseCommand):
    help = "Draws docs/lifecycle.md anew from cases/workflow.py."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            PAGE.write_text(draw_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        except ValueError as error:
            raise CommandError(f"{PAGE} lacks {error}; put the markers back where the part belongs.") from None
        self.stdout.write(f"{PAGE} is drawn from the workflow.")
