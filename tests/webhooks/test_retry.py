"""When a webhook that was not delivered is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.retry import SCHEDULE_S, plan_retry, read_retry_after, should_pause

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
MIDDLE = 0.5


def wait(tries: int, *, status_code: int | None = 500, retry_after: str = "", luck: float = MIDDLE) -> float | None:
    """Returns the seconds until the next attempt, None when there is none."""
    at = plan_retry(tries=tries, status_code=status_code, retry_after=retry_after, now=NOW, luck=luck)
    return None if at is None else (at - NOW).total_seconds()


def test_eight_attempts_are_made_in_27_hours_35_minutes_and_5_seconds() -> None:
    waits = [wait(tries) for tries in range(1, 9)]

    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 36_000, None]
    assert sum(SCHEDULE_S) == timedelta(hours=27, minutes=35, seconds=5).total_seconds()


def test_luck_moves_an_attempt_by_a_fifth_both_ways() -> None:
    assert [wait(2, luck=luck) for luck in (0.0, 0.25, 0.5, 0.75)] == [240, 270, 300, 330]
    assert wait(2, luck=0.999_999) == pytest.approx(360, abs=0.001)


@pytest.mark.parametrize("status_code", [None, 199, 301, 400, 401, 404, 408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_everything_but_success_and_gone_is_tried_again(status_code: int | None) -> None:
    assert wait(1, status_code=status_code) == 5


@pytest.mark.parametrize("tries", [1, 4, 7])
def test_an_endpoint_that_is_gone_is_not_tried_again_whatever_it_asks(tries: int) -> None:
    assert wait(tries, status_code=410, retry_after="60") is None


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("Tue, 24 Nov 2026 10:10:00 GMT", 600.0),
        ("Tue, 24 Nov 2026 09:50:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 10:10:00", 600.0),
        ("", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        ("٣", 0.0),
        ("Tue, 24 Nov 99999 10:10:00 GMT", 0.0),
        ("9" * 40, 999_999_999.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_nonsense_as_nothing(retry_after: str, seconds: float) -> None:
    assert read_retry_after(retry_after, NOW) == seconds


def test_retry_after_makes_the_wait_longer_and_never_shorter() -> None:
    assert wait(1, retry_after="60", status_code=429) == 60
    assert wait(4, retry_after="60", status_code=503) == 7200


def test_retry_after_is_bounded_by_ten_hours() -> None:
    assert wait(1, retry_after="999999") == 36_000
    assert wait(1, retry_after="Fri, 01 Jan 2100 00:00:00 GMT") == 36_000


def test_retry_after_gives_no_attempt_beyond_the_schedule() -> None:
    assert wait(8, retry_after="60") is None


def test_an_endpoint_is_paused_after_five_days_of_failure_or_at_once_when_it_is_gone() -> None:
    five_days_ago = NOW - timedelta(days=5)

    assert should_pause(failing_since=five_days_ago, status_code=500, now=NOW)
    assert should_pause(failing_since=five_days_ago, status_code=None, now=NOW)
    assert not should_pause(failing_since=five_days_ago + timedelta(milliseconds=1), status_code=500, now=NOW)
    assert should_pause(failing_since=NOW, status_code=410, now=NOW)
