"""`manage.py webhook_settings`: how a client's webhooks are signed and retried; must not show a secret twice."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from cases.management.key_options import format_moment
from cases.management.webhook_options import add_client_option, find_client, name_operator
from cases.models import Client
from webhooks import endpoints, policies
from webhooks.policies import NewSecret


class Command(BaseCommand):
    help = (
        "Shows how a client's webhooks are sent, and turns signing and retries on or off. Without an opt-in a webhook "
        "is one unsigned attempt. A secret is printed once, when it is made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_client_option(parser)
        parser.add_argument("--sign", action=BooleanOptionalAction, help="sign every attempt (Standard Webhooks)")
        parser.add_argument("--retry", action=BooleanOptionalAction, help="try up to eight times within 28 hours")
        parser.add_argument("--rotate-secret", action="store_true", help="make a secret that replaces the present one")
        parser.add_argument(
            "--keep-hours",
            type=float,
            metavar="H",
            help="with --rotate-secret: hours that the one before signs beside it (default: 24; 0 ends it at once)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep_hours"] is not None and not options["rotate_secret"]:
            raise CommandError("--keep-hours belongs to --rotate-secret.")
        # Compared this way round, so that NaN is refused too.
        if options["keep_hours"] is not None and not 0 <= options["keep_hours"] <= 720:
            raise CommandError("--keep-hours must be from 0 to 720.")
        client = find_client(options["client"])
        now = timezone.now()
        made = self._change(client, options, now)
        self._show(client, now)
        if made is not None:
            self.stdout.write(f"Secret:   {made.secret}")
            self.stdout.write("Store the secret now: it cannot be shown again.")

    def _change(self, client: Client, options: dict[str, Any], now: datetime) -> NewSecret | None:
        made, by = None, name_operator()
        if options["rotate_secret"]:
            hours = 24.0 if options["keep_hours"] is None else options["keep_hours"]
            made = policies.rotate_secret(client.pk, by=by, now=now, overlap=timedelta(hours=hours))
        if options["sign"] is not None or options["retry"] is not None:
            first = policies.change_policy(client.pk, signs=options["sign"], retries=options["retry"], by=by, now=now)
            made = first or made
        return made

    def _show(self, client: Client, now: datetime) -> None:
        policy = policies.get_policy(client.pk)
        self.stdout.write(f"Client:   {client.name}")
        self.stdout.write(f"Signed:   {'yes' if policy and policy.signs else 'no'}")
        self.stdout.write(f"Retried:  {'yes' if policy and policy.retries else 'no, one attempt for each event'}")
        for row in policies.list_secrets(client.pk, now):
            until = f"until {format_moment(row.expires_at)}" if row.expires_at else "in force"
            self.stdout.write(f"  secret  {row.fingerprint}, made {format_moment(row.created_at)}, {until}")
        for paused in endpoints.list_paused(client.pk):
            endpoint = paused.endpoint
            self.stdout.write(
                f"  PAUSED  {endpoint.origin} (endpoint {endpoint.pk}) since {format_moment(endpoint.paused_at)}, "
                f"{paused.waiting} waiting: {endpoint.last_error}"
            )
            self.stdout.write(f"          resume it with: manage.py resume_webhooks --endpoint {endpoint.pk}")
