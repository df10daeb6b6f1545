"""`manage.py reconcile_mail`: fetches the replies whose webhooks were lost; must not act on them, the workers do."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agentmail.catching_up import Findings
from agentmail.client import AgentMailClient
from cases.models import Case
from cases.reconcile import reconcile_case, reconcile_mail, reconcile_since

LONGEST_SECONDS = 3600.0


class Command(BaseCommand):
    help = (
        "Fetches received mail that no webhook brought and records it as a webhook would have done. "
        "Running it twice, or beside the regular pass, records nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--since",
            type=_parse_hours,
            metavar="HOURS",
            help="look so many hours back (default: from where the regular pass left off)",
        )
        what.add_argument("--case", metavar="ID", help="read the whole thread of this one case instead")
        parser.add_argument("--dry-run", action="store_true", help="only say what is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        client, now = AgentMailClient.from_settings(), timezone.now()
        is_dry_run, hours = options["dry_run"], options["since"]
        if options["case"] is not None:
            self._reconcile_case(client, options["case"], is_dry_run=is_dry_run)
            return
        if hours is None and is_dry_run:
            raise CommandError("--dry-run needs --since HOURS or --case ID: say how far back to look.")
        if hours is None:
            found = reconcile_mail(client, now, seconds=LONGEST_SECONDS)
        elif not 0 < hours <= 24 * 365:
            raise CommandError("--since must be a number of hours above 0 and at most 8760 (a year).")
        else:
            since = now - timedelta(hours=hours)
            found = reconcile_since(client, since, now, seconds=LONGEST_SECONDS, is_dry_run=is_dry_run)
        if not found:
            raise CommandError("There is no inbox to look at; set AGENTMAIL_INBOX_ID.")
        for findings in found:
            self.stdout.write(_describe(findings, is_dry_run=is_dry_run))
        if any(findings.reason for findings in found):
            raise CommandError("Not all mail could be looked through. What was found is stored; run this again.")

    def _reconcile_case(self, client: AgentMailClient, text: str, *, is_dry_run: bool) -> None:
        try:
            case_id = UUID(text)
        except ValueError:
            raise CommandError(f'"{text}" is not a case id; the admin and the API show it.') from None
        if not Case.objects.filter(pk=case_id).exists():
            raise CommandError(f"There is no case {case_id}.")
        found = reconcile_case(client, case_id, timezone.now(), is_dry_run=is_dry_run)
        self.stdout.write(f"Case {case_id}: {_count(found.missed)} missing, {found.stored} stored.")
        if not found.is_whole:
            raise CommandError("The provider did not give the whole thread; run this again.")


def _parse_hours(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" must be a number of hours, such as 24') from None


def _describe(findings: Findings, *, is_dry_run: bool) -> str:
    line = f"{findings.inbox_id}: {_count(findings.listed)} since {findings.since:%Y-%m-%d %H:%M} UTC"
    line += f", {findings.missed} missing here"
    if not is_dry_run:
        line += f", {findings.stored} stored, {findings.matched} of them for a case"
    return f"{line}. Stopped early: {findings.reason}" if findings.reason else f"{line}."


def _count(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages} messages"
