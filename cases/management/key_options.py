"""What the commands about API keys share: the options for an expiry, and how a new key is shown once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from cases.credentials import NewKey

MAX_DAYS = 3650


def add_expiry_options(parser: CommandParser) -> None:
    """Adds `--expires-in-days` and `--expires-at`, of which one at most may be given."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--expires-in-days", type=int, metavar="N", help=f"days until the key expires, 1 to {MAX_DAYS}")
    group.add_argument(
        "--expires-at", metavar="ISO", help="when the key expires, as 2027-01-31 or 2027-01-31T18:00:00Z; UTC"
    )


def read_expiry(options: dict[str, Any], now: datetime) -> datetime | None:
    """Returns when the key shall expire, or None for never. Raises CommandError for a value that is no such time."""
    days: int | None = options["expires_in_days"]
    if days is not None:
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--expires-in-days must be a whole number from 1 to {MAX_DAYS}.")
        return now + timedelta(days=days)
    if options["expires_at"] is None:
        return None
    try:
        moment = datetime.fromisoformat(options["expires_at"])
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError("--expires-at must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00Z.") from None


def show_new_key(stdout: OutputWrapper, made: NewKey) -> None:
    """Prints whose key it is and the key itself, which nothing can print again."""
    stdout.write(f"Client:  {made.row.client.name}")
    stdout.write(f"Id:      {made.row.client_id}")
    stdout.write(f"Name:    {made.row.name}")
    stdout.write(f"Expires: {format_moment(made.row.expires_at)}")
    stdout.write(f"API key: {made.key}")
    stdout.write("Store the key now: only its fingerprint is kept, so it cannot be shown again.")
    if not made.row.client.is_active:
        stdout.write("The client is switched off, so the key will be refused until the client is switched on.")


def format_moment(moment: datetime | None) -> str:
    """Returns ISO 8601 in UTC to the second, or "never"."""
    return "never" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
