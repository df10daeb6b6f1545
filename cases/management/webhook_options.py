"""What the commands about client webhooks share; must not change anything."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

from django.core.management.base import CommandError, CommandParser

from cases import credentials
from cases.models import Client


def add_client_option(parser: CommandParser) -> None:
    """Adds the `--client` that every one of these commands needs."""
    parser.add_argument("--client", required=True, metavar="NAME", help="the client's name or id")


def find_client(name: str) -> Client:
    """Returns the client with this name or id. Raises CommandError when there is none."""
    try:
        return credentials.find_client(name)
    except credentials.CredentialRefused as refusal:
        raise CommandError(str(refusal)) from None


def read_since(given: str | None, now: datetime) -> datetime | None:
    """Returns the moment that `--since` means, None without one. Raises CommandError for what is no time.

    A whole number means hours before `now`; anything else is ISO 8601, in UTC unless it says otherwise.
    """
    if given is None:
        return None
    try:
        if given.isascii() and given.isdigit():
            return now - timedelta(hours=int(given))
        moment = datetime.fromisoformat(given)
    except (ValueError, OverflowError):
        raise CommandError("--since must be hours, such as 24, or a time such as 2027-01-31T18:00:00Z.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def name_operator() -> str:
    """Returns who runs the command, for the log of attempts."""
    try:
        return f"{getpass.getuser()} (command)"
    except (OSError, KeyError):
        # A container may run as a user that has no name.
        return "command"
