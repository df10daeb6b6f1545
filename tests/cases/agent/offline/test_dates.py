"""Dates in six languages, seen from Tuesday 24 November 2026."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from cases.agent.offline.dates import at_morning, find_dates, find_zone
from cases.agent.offline.reading import fold

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("phrase", "days"),
    [
        ("until 3 December", ["2026-12-03"]),
        ("December 3rd, 2026", ["2026-12-03"]),
        ("the 3rd of December", ["2026-12-03"]),
        ("bis zum 3. Dezember", ["2026-12-03"]),
        ("bis 03.12. im Urlaub", ["2026-12-03"]),
        ("am 3.12.2026", ["2026-12-03"]),
        ("jusqu'au 3 décembre", ["2026-12-03"]),
        ("le 1er décembre", ["2026-12-01"]),
        ("hasta el 3 de diciembre de 2026", ["2026-12-03"]),
        ("fino al 3 dicembre", ["2026-12-03"]),
        ("tot 3 december", ["2026-12-03"]),
        ("2026-12-03", ["2026-12-03"]),
        ("2026-12-03T10:00:00Z", ["2026-12-03"]),
        ("25/12/2026", ["2026-12-25"]),
        ("12/25/2026", ["2026-12-25"]),
        ("04/05/2027", [None]),
        ("next Tuesday", ["2026-12-01"]),
        ("next Friday", ["2026-12-04"]),
        ("this Friday", ["2026-11-27"]),
        ("by Friday", ["2026-11-27"]),
        ("on Tuesday", ["2026-12-01"]),
        ("Friday next week", ["2026-12-04"]),
        ("nächsten Dienstag", ["2026-12-01"]),
        ("kommenden Freitag", ["2026-11-27"]),
        ("mardi prochain", ["2026-12-01"]),
        ("el próximo martes", ["2026-12-01"]),
        ("el martes que viene", ["2026-12-01"]),
        ("martedì prossimo", ["2026-12-01"]),
        ("volgende dinsdag", ["2026-12-01"]),
        ("two weeks", ["2026-12-08"]),
        ("in a couple of days", ["2026-11-26"]),
        ("in 14 Tagen", ["2026-12-08"]),
        ("dans deux semaines", ["2026-12-08"]),
        ("dentro de dos semanas", ["2026-12-08"]),
        ("tra due settimane", ["2026-12-08"]),
        ("over twee weken", ["2026-12-08"]),
        ("5 business days", ["2026-12-01"]),
        ("next week", ["2026-11-30"]),
        ("the week after next", ["2026-12-07"]),
        ("end of next week", ["2026-12-04"]),
        ("end of the week", ["2026-11-27"]),
        ("end of the month", ["2026-11-30"]),
        ("next month", ["2026-12-01"]),
        ("mid-December", ["2026-12-15"]),
        ("Anfang Dezember", ["2026-12-01"]),
        ("end of December", ["2026-12-31"]),
        ("in March", ["2027-03-01"]),
        ("the 12th", ["2026-12-12"]),
        ("tomorrow", ["2026-11-25"]),
        ("morgen", ["2026-11-25"]),
        ("demain", ["2026-11-25"]),
        ("mañana", ["2026-11-25"]),
        ("the day after tomorrow", ["2026-11-26"]),
        ("from 1 to 5 December", ["2026-12-05"]),
        ("Monday or Tuesday", ["2026-11-30", "2026-12-01"]),
    ],
)
def test_a_phrase_is_read_as_its_day(phrase: str, days: list[str | None]) -> None:
    found = find_dates(" ".join(fold(phrase).split()), TODAY)

    assert [item.day.isoformat() if item.day else None for item in found] == days


@pytest.mark.parametrize(
    "phrase",
    [
        "We may march on in a second",
        "guten Morgen",
        "last Tuesday",
        "two weeks ago",
        "vor zwei Wochen",
        "hace dos semanas",
        "31 June",
        "version 1.2.3",
        "order 12/2026",
        "I sat down in the sun",
        "in November",
    ],
)
def test_what_is_no_day_ahead_is_not_read_as_one(phrase: str) -> None:
    assert find_dates(" ".join(fold(phrase).split()), TODAY) == []


@pytest.mark.parametrize(
    ("today", "day"),
    [(date(2026, 11, 23), "2026-12-01"), (date(2026, 11, 27), "2026-12-01"), (date(2026, 11, 29), "2026-12-01")],
)
def test_next_tuesday_is_the_one_of_the_coming_week(today: date, day: str) -> None:
    assert [str(found.day) for found in find_dates("next tuesday", today)] == [day]


@pytest.mark.parametrize(
    ("phrase", "is_exact"), [("3 december", True), ("friday", True), ("in two weeks", False), ("end of march", False)]
)
def test_a_phrase_that_points_near_a_day_is_not_exact(phrase: str, is_exact: bool) -> None:
    assert [found.is_exact for found in find_dates(phrase, TODAY)] == [is_exact]


def test_nine_in_the_morning_is_the_zones_morning() -> None:
    assert at_morning(date(2026, 12, 3), find_zone("Europe/Berlin")) == datetime(2026, 12, 3, 8, 0, tzinfo=UTC)
    assert at_morning(date(2026, 12, 3), find_zone("America/New_York")) == datetime(2026, 12, 3, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe/"])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert find_zone(name) == ZoneInfo("UTC")


@pytest.mark.parametrize(
    "hostile", ["a " * 8_000, "3 december " * 1_500, "1/1/" * 4_000, "monday " * 2_000, "the " * 4_000]
)
def test_hostile_text_is_read_in_time(hostile: str) -> None:
    started = time.perf_counter()

    found = find_dates(hostile, TODAY)

    assert len(found) <= 50
    assert time.perf_counter() - started < 3
