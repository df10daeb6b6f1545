"""Plays a whole case on the running local stack and shows each step; exits 0 only if the case really completed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from cases.management.stage import Stack, Stage
from cases.management.stories import STORIES


class Command(BaseCommand):
    help = "Plays a case from POST /cases to case.completed on the local stack that ./dev up has started."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--story",
            choices=sorted(STORIES),
            default="first",
            help="first: answered at once; long: nine days of silence, absence and questions",
        )
        parser.add_argument(
            "--stack",
            default=str(Path(settings.BASE_DIR) / "var" / "dev.json"),
            help="where ./dev up wrote its description (default: var/dev.json)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        stage = Stage(Stack.read(Path(options["stack"])), self.stdout, self.style)
        STORIES[options["story"]](stage)
        stage.close(f"The case is complete. Played in {time.monotonic() - started:.0f} s.")
