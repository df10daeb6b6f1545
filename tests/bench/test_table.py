"""The table of the benches says of each figure whether it is what was wanted."""

from __future__ import annotations

import pytest

from bench.table import Row, Wanted, format_table, judge

AT_LEAST = Wanted(0.7, is_least=True)
AT_MOST = Wanted(300, is_least=False, unit="ms")


def make_row(ratio: float | None, wanted: Wanted | None, *, figure: float | None = None, also: bool = True) -> Row:
    return Row("a thing", "7/s", "10/s", ratio, wanted, figure, also)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (make_row(0.7, AT_LEAST), True),
        (make_row(0.69, AT_LEAST), False),
        (make_row(40.0, AT_MOST, figure=300), True),
        (make_row(1.0, AT_MOST, figure=301), False),
        (make_row(0.7, AT_LEAST, also=False), False),
        (make_row(0.7, None), None),
        (make_row(None, AT_LEAST), None),
    ],
    ids=["at the limit", "below it", "a figure, not the ratio", "above", "in too much memory", "no wish", "nothing"],
)
def test_a_row_is_reached_when_its_figure_is_what_was_wanted(row: Row, expected: bool | None) -> None:
    assert row.is_reached is expected


def test_one_missed_row_makes_the_run_fail_and_one_without_a_wish_does_not() -> None:
    assert judge([make_row(0.7, AT_LEAST), make_row(0.1, None)]) == 0
    assert judge([make_row(0.7, AT_LEAST), make_row(0.1, AT_LEAST)]) == 1


def test_the_table_has_each_row_with_its_command_and_the_benches_that_did_not_run() -> None:
    table = format_table(
        [("./dev bench one", make_row(0.5, AT_LEAST)), ("./dev bench two", make_row(None, AT_MOST, figure=9))],
        [("./dev bench three", "No database.\nA second line.")],
    )

    assert table.splitlines() == [
        "what                        ours  base  ratio  wanted     reached  command",
        "--------------------------  ----  ----  -----  ---------  -------  -----------------",
        "a thing                     7/s   10/s  0.50   >= 0.7     NO       ./dev bench one",
        "a thing                     7/s   10/s         <= 300 ms  yes      ./dev bench two",
        "not measured: No database.                                -        ./dev bench three",
    ]
