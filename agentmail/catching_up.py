"""Finds received mail whose webhook was lost, by listing an inbox; must not know who owns a mail, or judge one.

Delivery failures cannot be found this way: AgentMail tells bounces, complaints and rejections by webhook alone.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from agentmail.client import AgentMailClient
from agentmail.matching import OnReply
from agentmail.models import InboundEmail, InboxCursor, OutboundEmail
from agentmail.outcomes import FetchedMessage, FetchFailed, ListedMessage, ListedMessages, MessageMissing
from agentmail.reading import release_pooled_connection
from agentmail.services import StoredOutcome, store_live_mail

logger = logging.getLogger(__name__)

# A list goes by the mail's own time, which its sender writes: mail that was held up on its way looks older.
OVERLAP = timedelta(hours=6)
# For an inbox that was never listed; longer than the day for which the provider repeats a webhook.
FIRST_LOOK_BACK = timedelta(days=3)
# One broken message holds the list back for so long, and no longer.
LONGEST_HOLD = timedelta(days=3)
# After so many failed reads in a row the provider is asked for something else: is it down, or are they broken?
FAILURES_IN_A_ROW = 3


@dataclass
class Findings:
    """What one look at an inbox came to; the numbers are of messages. `reason` says why it is not complete."""

    inbox_id: str
    since: datetime
    listed: int = 0
    missed: int = 0
    stored: int = 0
    matched: int = 0
    reason: str = ""
    # Up to here nothing is missed; None when the look found out nothing about that.
    sound_until: datetime | None = None


def list_inboxes() -> list[str]:
    """Returns every inbox that Offload writes from or has written from, the configured one first."""
    found = [settings.AGENTMAIL_INBOX_ID] if settings.AGENTMAIL_INBOX_ID else []
    inbox_ids = OutboundEmail.objects.order_by("inbox_id").values_list("inbox_id", flat=True)
    # One index look-up for each inbox: DISTINCT would read every mail ever sent.
    last = inbox_ids.first()
    while last is not None:
        found.append(last)
        last = inbox_ids.filter(inbox_id__gt=last).first()
    return list(dict.fromkeys(found))


def get_start(inbox_id: str, now: datetime) -> datetime:
    """Returns from when on the inbox has to be listed: six hours before what the last passes left sound.

    A place ahead of `now` was left by a worker whose clock was wrong, and is not believed.
    """
    cursor = InboxCursor.objects.filter(pk=inbox_id).first()
    sound_until = cursor.sound_until if cursor and cursor.sound_until else now - FIRST_LOOK_BACK
    return min(sound_until, now) - OVERLAP


def keep_progress(findings: Findings, now: datetime) -> None:
    """Stores how far the inbox is sound, for `get_start`; it never moves back, whoever else looks at it."""
    InboxCursor.objects.bulk_create([InboxCursor(inbox_id=findings.inbox_id, looked_at=now)], ignore_conflicts=True)
    cursor = InboxCursor.objects.filter(pk=findings.inbox_id)
    cursor.update(looked_at=now, last_error=findings.reason)
    if findings.sound_until is not None:
        cursor.exclude(sound_until__gte=findings.sound_until).update(sound_until=findings.sound_until)


def catch_up_inbox(
    inbox_id: str,
    since: datetime,
    *,
    client: AgentMailClient,
    on_reply: OnReply,
    now: datetime,
    seconds: float,
    is_dry_run: bool = False,
) -> Findings:
    """Stores and hands over every mail received after `since` that no webhook brought, oldest first.

    Each mail is a transaction of its own. A second call, two at once, or the webhook that comes after all change
    nothing more. Begins no call after `seconds`; `Findings.sound_until` is where the next call may go on. A dry run
    only counts. Calls the provider: not inside a transaction. Raises django.db.Error alone.
    """
    look = _Look(inbox_id, since, client, on_reply, now, time.monotonic() + seconds, is_dry_run)
    look.go_through()
    return look.findings


class _Look:
    """One pass over one inbox."""

    def __init__(
        self,
        inbox_id: str,
        since: datetime,
        client: AgentMailClient,
        on_reply: OnReply,
        now: datetime,
        ends_at: float,
        is_dry_run: bool,
    ) -> None:
        self.findings = Findings(inbox_id, since)
        self._inbox_id, self._client, self._on_reply, self._now = inbox_id, client, on_reply, now
        self._ends_at, self._is_dry_run = ends_at, is_dry_run
        # How far a complete list is sound: up to now, or to the first message that could not be read.
        self._horizon = now
        self._has_reached_end = False
        self._failures = 0

    def go_through(self) -> None:
        is_ordered, newest = True, self.findings.since
        for page in self._list_pages():
            if not self._take(page):
                self._has_reached_end = False
                break
            times = [newest, *(message.at for message in page if message.at)]
            is_ordered = is_ordered and times == sorted(times)
            newest = max(times)
        if self._has_reached_end:
            self.findings.sound_until = self._horizon
        elif is_ordered:
            # Without the oldest first, what ended early has no place to go on from.
            self.findings.sound_until = min(newest, self._horizon)

    def _list_pages(self) -> Iterator[Sequence[ListedMessage]]:
        token = ""
        while True:
            release_pooled_connection()
            page = self._client.list_messages(self._inbox_id, self.findings.since, token)
            if not isinstance(page, ListedMessages):
                self.findings.reason = page.reason
                return
            self.findings.listed += len(page.messages)
            token = page.next_page_token
            self._has_reached_end = not token
            yield page.messages
            if not token or not self._has_time():
                return

    def _take(self, page: Sequence[ListedMessage]) -> bool:
        """Returns whether the whole page was dealt with and the provider still answers."""
        received = [message for message in page if not message.is_ours]
        stored = InboundEmail.objects.filter(message_id__in=[message.message_id for message in received])
        # The provider names an inbox in its own spelling, the settings in another.
        known = {
            message_id
            for inbox_id, message_id in stored.values_list("inbox_id", "message_id")
            if inbox_id.lower() == self._inbox_id.lower()
        }
        for message in received:
            if message.message_id in known:
                continue
            self.findings.missed += 1
            if self._is_dry_run:
                continue
            if not self._has_time():
                return False
            self._failures = self._failures + 1 if self._cannot_store(message) else 0
            if self._failures >= FAILURES_IN_A_ROW:
                if not self._does_answer():
                    return False
                self._failures = 0
        return True

    def _does_answer(self) -> bool:
        release_pooled_connection()
        return isinstance(self._client.list_messages(self._inbox_id, self._now, ""), ListedMessages)

    def _has_time(self) -> bool:
        if time.monotonic() < self._ends_at:
            return True
        self.findings.reason = self.findings.reason or "the time for one pass was up; the next one goes on from there"
        return False

    def _cannot_store(self, message: ListedMessage) -> bool:
        release_pooled_connection()
        match self._client.fetch_message(self._inbox_id, message.message_id):
            case FetchFailed(reason):
                self.findings.reason = reason
                held = max(message.at or self.findings.since, self._now - LONGEST_HOLD)
                self._horizon = min(self._horizon, held)
                return True
            case MessageMissing():
                logger.info("a listed message of %s is gone from the provider", self._inbox_id)
            case FetchedMessage(mail):
                done = store_live_mail(mail, now=self._now, on_reply=self._on_reply)
                self.findings.stored += done.outcome in (StoredOutcome.MATCHED, StoredOutcome.WAITING)
                self.findings.matched += done.outcome is StoredOutcome.MATCHED
        return False
