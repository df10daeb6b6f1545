"""`manage.py keep CLIENT`: shows or sets how long a client's ended cases keep what was written."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from cases.keeping import Keeping
from cases.models import Client

KINDS = ("mail", "files", "agent")


class Command(BaseCommand):
    help = (
        "Shows how many days after its end a client's case keeps its mail, what is known of its files and the agent's "
        "reasons, and sets what is given: a number of days, or 0 for good. What is over is emptied within the hour."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", help="The client's name.")
        for kind in KINDS:
            parser.add_argument(f"--{kind}-days", type=int, help="Days, or 0 for good.")

    def handle(self, *args: Any, **options: Any) -> None:
        client = Client.objects.filter(name=options["client"]).first()
        if client is None:
            raise CommandError(f'There is no client "{options["client"]}". manage.py list_keys shows them all.')
        keeping = Keeping.objects.filter(client=client).first() or Keeping(client=client)
        given = {f"{kind}_days": options[f"{kind}_days"] for kind in KINDS if options[f"{kind}_days"] is not None}
        for name, days in given.items():
            setattr(keeping, name, days or None)
        try:
            keeping.clean_fields()
        except ValidationError as fault:
            raise CommandError(
                "; ".join(f"{name}: {' '.join(said)}" for name, said in fault.message_dict.items())
            ) from None
        if given:
            keeping.save()
        for kind in KINDS:
            days = getattr(keeping, f"{kind}_days")
            self.stdout.write(f"{kind}: {'kept for good' if days is None else f'{days} days after the end'}")
