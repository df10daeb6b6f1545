"""`manage.py resend_webhooks`: sends again what a client did not get; must not make a webhook that never was."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from cases.management.webhook_options import add_client_option, find_client, name_operator, read_since
from webhooks.services import list_undelivered, resend_undelivered

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Sends again every webhook of a client that ended as failed or unknown, with the same event_id and body. "
        "They leave at the pace of the workers. A second call finds only what has failed since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_client_option(parser)
        parser.add_argument("--since", metavar="WHEN", help="only what ended since: hours, such as 24, or an ISO time")
        parser.add_argument("--dry-run", action="store_true", help="only say which they are")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        since = read_since(options["since"], now)
        client = find_client(options["client"])
        if not options["dry_run"]:
            resent = resend_undelivered(client.pk, since=since, by=name_operator(), now=now)
            self.stdout.write(f"{resent} webhook{'' if resent == 1 else 's'} of {client.name} will be sent again.")
            return
        undelivered = list_undelivered(client.pk, since)
        count = undelivered.count()
        self.stdout.write(f"{count} webhook{'' if count == 1 else 's'} of {client.name} would be sent again.")
        for delivery in undelivered[:SHOWN]:
            self.stdout.write(f"  {delivery.event_id}  {delivery.state}  {delivery.url_host}  {delivery.last_error}")
        if count > SHOWN:
            self.stdout.write(f"  … and {count - SHOWN} more")
