"""PURE: when a webhook that was not delivered is tried again; must not know a table, a socket or the clock.

The schedule is Svix's (https://docs.svix.com/retries), which senders of Standard Webhooks commonly follow. It holds
only for a client that opted in: whoever asks here has looked that up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The wait before each attempt in seconds, the first of which is made at once: eight in 27 h 35 min 5 s.
SCHEDULE_S = (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
# So that endpoints which fell together are not all called together again.
JITTER = 0.2
# A longer Retry-After would turn the schedule of a day into one of weeks.
LONGEST_WISH_S = 10 * 3600
GONE = 410

PAUSE_AFTER = timedelta(days=5)


def plan_retry(*, tries: int, status_code: int | None, retry_after: str, now: datetime, luck: float) -> datetime | None:
    """Returns when the next attempt is due, or None when there is none.

    tries: attempts of this schedule so far, the failed one included. status_code: what the endpoint answered, None
    without an answer. retry_after: that header as it came, "" for none. luck: from 0 to below 1, spreads the wait.

    Everything but a 2xx is tried again, also 4xx and redirects: a wrong deployment answers those. Only 410 says that
    the endpoint is gone for good.
    """
    if status_code == GONE or tries >= len(SCHEDULE_S):
        return None
    wait_s = SCHEDULE_S[tries] * (1 - JITTER + 2 * JITTER * luck)
    wish_s = min(read_retry_after(retry_after, now), LONGEST_WISH_S)
    return now + timedelta(seconds=max(wait_s, wish_s))


def read_retry_after(text: str, now: datetime) -> float:
    """Returns the seconds that a Retry-After header asks to wait; 0 for none, one in the past or an unreadable one.

    Both forms of RFC 9110 (10.2.3) are read: seconds, and a date.
    """
    wish = text.strip()
    # `isdigit` alone takes digits of other scripts and superscripts, which `int` may refuse.
    if wish.isascii() and wish.isdigit():
        return float(wish[:9])
    try:
        until = parsedate_to_datetime(wish)
        # A date without a zone is in UTC.
        return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def should_pause(*, failing_since: datetime, status_code: int | None, now: datetime) -> bool:
    """Returns whether an endpoint that has just failed gets nothing more until somebody resumes it.

    So it is after five days of nothing but failure, and at once when it answers 410 (Gone).
    """
    return status_code == GONE or now - failing_since >= PAUSE_AFTER
