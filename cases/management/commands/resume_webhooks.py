"""`manage.py resume_webhooks`: lets webhooks go out to a paused endpoint again; must not resend what has failed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases.management.webhook_options import find_client, name_operator
from webhooks.endpoints import list_paused, resume_endpoint


class Command(BaseCommand):
    help = (
        "Resumes paused webhook endpoints; what waited for them goes out within half a minute. "
        "What failed before the pause is sent again by resend_webhooks."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--endpoint", type=int, metavar="N", help="the number that webhook_settings shows")
        which.add_argument("--client", metavar="NAME", help="all paused endpoints of the client with this name or id")

    def handle(self, *args: Any, **options: Any) -> None:
        subscriber = None if options["client"] is None else find_client(options["client"]).pk
        paused = list_paused(subscriber)
        if options["endpoint"] is not None:
            paused = [found for found in paused if found.endpoint.pk == options["endpoint"]]
            if not paused:
                raise CommandError(f"No endpoint {options['endpoint']} is paused; webhook_settings shows which are.")
        resumed = [
            found for found in paused if resume_endpoint(found.endpoint.pk, by=name_operator(), now=timezone.now())
        ]
        for found in resumed:
            self.stdout.write(f"Resumed {found.endpoint.origin}; {found.waiting} waiting.")
        if not resumed:
            self.stdout.write("None of the client's endpoints is paused.")
