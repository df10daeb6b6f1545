"""Mail in numbers, both ways, and how the account at the provider was found; must not name an address."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from agentmail.models import AccountCheck
from agentmail.outcomes import MailState
from offload.collecting.asking import ask, count, gauge, gauges

# A mail on its way takes seconds.
ON_ITS_WAY_S = 60
UNSETTLED = (MailState.FROZEN, MailState.SENDING, MailState.UNKNOWN)
# Newer webhooks than these say what there is to say.
NEWEST = 1_000

OLDEST_HELD = """
    SELECT coalesce(extract(epoch FROM now() - min(frozen_at)), 0)
      FROM agentmail_outboundemail WHERE state IN ('frozen', 'sending', 'unknown')
"""
INBOXES = """
    SELECT coalesce(max(extract(epoch FROM now() - looked_at)), 0),
           coalesce(sum((last_error <> '')::int), 0)
      FROM agentmail_inboxcursor
"""
# An event without a svix id was made of a mail that the inbox was searched for.
LAST_WEBHOOK = """
    SELECT extract(epoch FROM now() - max(received_at)) FROM (
        SELECT received_at, svix_id FROM agentmail_providerevent ORDER BY received_at DESC LIMIT %(newest)s) newest
     WHERE svix_id <> ''
"""


def collect_mail() -> Iterator[Metric]:
    """Yields what has not left, what waits for its case, and whether the provider's webhooks arrive."""
    held = [
        (
            str(state),
            count(
                "agentmail_outboundemail",
                "state = %(state)s AND frozen_at < now() - %(on_its_way)s * interval '1 second'",
                {"state": str(state), "on_its_way": ON_ITS_WAY_S},
            ),
        )
        for state in UNSETTLED
    ]
    yield gauges("offload_held_mails", "Mails written over a minute ago whose sending is not settled.", "state", held)
    ((age,),) = ask(OLDEST_HELD)
    yield gauge("offload_oldest_held_mail_seconds", "How long the oldest unsettled mail has waited.", float(age))
    waiting = "owner IS NULL AND received_at > now() - interval '3 days'"
    unmatched = count("agentmail_inboundemail", waiting)
    yield gauge("offload_unmatched_mails", "Received mails of three days that belong to no case.", unmatched)
    fetched = count("agentmail_providerevent", "svix_id = '' AND received_at > now() - interval '1 day'")
    yield gauge("offload_mails_without_webhook", "Mails of a day whose webhook never came.", fetched)
    ((last,),) = ask(LAST_WEBHOOK, {"newest": NEWEST})
    if last is not None:
        yield gauge("offload_last_webhook_seconds", "Since the mail provider's last webhook.", float(last))


def collect_mail_account() -> Iterator[Metric]:
    """Yields how the inboxes and our account at the provider were found at the last look."""
    ((age, faults),) = ask(INBOXES)
    yield gauge("offload_inbox_search_seconds", "Since the inbox searched longest ago was searched.", float(age))
    yield gauge("offload_inbox_search_faults", "Inboxes that could not be searched.", float(faults))
    checks = AccountCheck.objects.order_by("part")
    found = [(check.part, float(bool(check.problem) and check.is_known)) for check in checks]
    yield gauges("offload_mail_account_faults", "1 where the account was found wrong.", "part", found)
