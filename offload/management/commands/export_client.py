"""`manage.py export_client NAME`: writes all that is kept of a client as JSON lines; must not change anything."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from cases.models import Client
from offload.forgetting.export import export_client


class Command(BaseCommand):
    help = (
        "Writes a client's cases with their mail, questions, events, agent runs and webhooks to standard output, "
        "one JSON object a line, as they were at one moment. docs/privacy.md describes the lines."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The client's name, as manage.py list_keys shows it.")
        parser.add_argument("--notes", action="store_true", help="Also the notes that staff wrote for each other.")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["name"]).first()
        if client is None:
            raise CommandError(f'There is no client "{options["name"]}". manage.py list_keys shows them all.')
        with transaction.atomic():
            # One moment for all tables, and nothing that could change one.
            if not connection.savepoint_ids:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for line in export_client(client, has_notes=options["notes"]):
                self.stdout.write(line)
