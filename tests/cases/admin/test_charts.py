"""The drawing of a bar chart: where its bars stand and what its table says."""

from __future__ import annotations

import pytest

from cases.admin.overview.charts import BOTTOM, HEIGHT, LEFT, TOP, Series, draw_bars, find_top


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 4), (1, 4), (4, 4), (5, 8), (9, 12), (40, 40), (41, 80), (99, 100), (100, 100), (101, 200), (8_206, 10_000)],
)
def test_the_axis_ends_at_a_round_number_of_whole_parts(highest: float, top: float) -> None:
    assert find_top(highest, is_whole=True) == top


@pytest.mark.parametrize(("highest", "top"), [(0.3, 0.4), (1.9, 2.0), (3, 4), (7, 8)])
def test_the_axis_of_a_measure_may_end_at_a_fraction(highest: float, top: float) -> None:
    assert find_top(highest, is_whole=False) == pytest.approx(top)


def test_bars_are_stacked_from_the_floor_and_fill_the_height() -> None:
    chart = draw_bars("k", "Title", "Words", ["a", "b"], [Series("Good", "good", [3, 0]), Series("Bad", "bad", [1, 2])])

    floor = HEIGHT - BOTTOM
    first, on_it, second = chart.bars
    assert (first.tone, on_it.tone, second.tone) == ("good", "bad", "bad")
    assert first.y + first.height == pytest.approx(floor)
    assert on_it.y + on_it.height == pytest.approx(first.y)
    assert on_it.y == pytest.approx(TOP)
    assert second.height == pytest.approx((floor - TOP) / 2)
    assert LEFT < first.x < second.x
    assert on_it.hint == "a: bad 1"


def test_the_table_says_everything_the_bars_show() -> None:
    chart = draw_bars("k", "Title", "Words", ["a", "b"], [Series("Median", "live", [1.5, None])], is_whole=False)

    assert chart.head == ("Day", "Median")
    assert chart.rows == (("a", "2"), ("b", "—"))
    assert len(chart.bars) == 1


def test_nothing_to_draw_is_an_empty_chart_with_its_table() -> None:
    chart = draw_bars("k", "Title", "Words", ["a"], [Series("Due", "live", [0])])

    assert chart.is_empty
    assert chart.rows == (("a", "0"),)


def test_a_small_number_beside_a_large_one_is_still_seen() -> None:
    chart = draw_bars("k", "Title", "Words", ["a", "b"], [Series("Due", "live", [1, 1_000_000])])

    assert chart.bars[0].height == 1.5


def test_no_more_labels_stand_under_the_axis_than_there_is_room_for() -> None:
    days = [str(day) for day in range(1, 15)]

    chart = draw_bars("k", "Title", "Words", days, [Series("Due", "live", [1] * 14)])

    assert [mark.text for mark in chart.marks] == ["2", "4", "6", "8", "10", "12", "14"]
