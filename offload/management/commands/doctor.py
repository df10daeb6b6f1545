"""`manage.py doctor`: checks a deployment and names the command that mends each fault; changes nothing."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from offload.doctor.examination import examine_here
from offload.doctor.findings import Level, count_levels, to_document


class Command(BaseCommand):
    # A fault in them must not keep the other findings from being told; the doctor runs them itself.
    requires_system_checks = []
    help = (
        "Looks at settings, database, migrations, queue, mail account, clocks, beat, workers and model, and prints a "
        "line for each: ok, warn or FAIL, what was found, and what mends it. Exits with 1 if anything fails. Sends "
        "nothing, changes nothing, and takes less than a minute whatever is down."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for scripts: {ok, findings: [...]}")
        parser.add_argument(
            "--call-model", action="store_true", help="ask the model one question, which costs a little"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine_here(timezone.now)
        if options["call_model"]:
            # Loads the model's library, which takes seconds.
            from offload.doctor.asking import ask_model  # noqa: PLC0415

            findings = [finding for finding in findings if finding.name != "model"] + ask_model(timezone.now())
        counts = count_levels(findings)
        if options["json"]:
            self.stdout.write(json.dumps(to_document(findings), ensure_ascii=False, indent=2))
        else:
            for finding in findings:
                self.stdout.write(finding.to_line())
            where = "" if settings.OFFLOAD_MODE == "production" else f" ({settings.OFFLOAD_MODE} mode)"
            self.stdout.write(f"\n{counts[Level.FAIL]} to mend, {counts[Level.WARN]} to look after{where}.")
        if counts[Level.FAIL]:
            raise SystemExit(1)
