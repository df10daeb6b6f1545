"""`manage.py erase_person ADDRESS`: erases a person from the whole database, and proves it by searching all of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from offload.forgetting.columns import search
from offload.forgetting.person import Erased, NotErased, erase

# Shorter names stand in too many words.
SHORTEST_NAME = 4


class Command(BaseCommand):
    help = (
        "Erases a person outside: the counterparty's fields, mail both ways, questions and answers, the agent's "
        "reasons, notes, webhooks' bodies and admin history. What happened when, each case's status and cost stay. "
        "The address gets no mail any more. Ends by searching every column for the address and the person's names. "
        "What AgentMail and your clients hold has to be erased there (docs/privacy.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="The person's e-mail address.")
        parser.add_argument("--dry-run", action="store_true", help="Only count, change nothing.")
        parser.add_argument("--cancel-live", action="store_true", help="Cancel the person's cases that are not ended.")

    def handle(self, *args: Any, **options: Any) -> None:
        address = str(options["address"]).strip().lower()
        if address.count("@") != 1 or address.startswith("@") or address.endswith("@"):
            raise CommandError(f"{address} is no e-mail address.")
        try:
            erased = erase(address, now=timezone.now(), cancel_live=options["cancel_live"], dry_run=options["dry_run"])
        except NotErased as fault:
            raise CommandError(f"Nothing was changed. {fault}") from None
        self._report(erased, is_dry_run=options["dry_run"])
        if not options["dry_run"]:
            self._prove(address, erased)

    def _report(self, erased: Erased, *, is_dry_run: bool) -> None:
        verb = "would change" if is_dry_run else "changed"
        self.stdout.write(f"{erased.cases} cases, {erased.cancelled} of them cancelled first")
        for table, rows in sorted(erased.rows.items()):
            if rows:
                self.stdout.write(f"{verb} {rows} rows of {table}")
        if is_dry_run:
            self.stdout.write("Nothing was changed.")

    def _prove(self, address: str, erased: Erased) -> None:
        left = 0
        names = [name for name in erased.names if len(name) >= SHORTEST_NAME]
        for words, what in [(address, "the address"), *((name, "a name of the person") for name in names)]:
            for column, rows in search(words):
                left += what == "the address"
                self.stdout.write(f"still there: {what} in {rows} rows of {column.place}")
        if left:
            raise CommandError("The address is still in the database, where the lines above say.")
        self.stdout.write("The address is in no column of the database.")
