"""The one table that a run of the benches ends with, and its judgement; must not measure anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEADINGS = ("what", "ours", "base", "ratio", "wanted", "reached", "command")


class NotMeasured(Exception):
    """A bench could not be run, or what it ran did something else than it was to measure; the message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a figure must not fall below (`is_least`) or not exceed. unit: empty when the figure is the ratio."""

    limit: float
    is_least: bool
    unit: str = ""

    def is_met_by(self, figure: float) -> bool:
        return figure >= self.limit if self.is_least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.limit:,.4g}{self.unit and ' '}{self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured against another in the same run.

    ours, base: as they are shown, with their units; base is empty where there is nothing to compare with. ratio: of
    ours to base, the median of the rounds where there were several. figure: what `wanted` judges; None for the ratio.
    also: whether everything else that the bench wants is as it should be.
    """

    what: str
    ours: str
    base: str
    ratio: float | None
    wanted: Wanted | None
    figure: float | None = None
    also: bool = True

    @property
    def is_reached(self) -> bool | None:
        """None when nothing was wanted, or nothing measured that could tell."""
        judged = self.ratio if self.figure is None else self.figure
        if self.wanted is None or judged is None:
            return None
        return self.wanted.is_met_by(judged) and self.also


def judge(rows: Iterable[Row]) -> int:
    """Returns the exit code: 1 when something that was wanted is missed, else 0."""
    return int(any(row.is_reached is False for row in rows))


def format_table(rows: Iterable[tuple[str, Row]], missing: Iterable[tuple[str, str]] = ()) -> str:
    """Returns the table as lines of text; each row comes with the command that prints it alone.

    missing: the commands that could not be run, with the reason.
    """
    lines = [HEADINGS, *(_show(command, row) for command, row in rows)]
    lines += [(f"not measured: {reason.splitlines()[0]}", "", "", "", "", "-", command) for command, reason in missing]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([shown[0], "  ".join("-" * width for width in widths), *shown[1:]])


def _show(command: str, row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "NO", None: "-"}[row.is_reached]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.what, row.ours, row.base, ratio, "" if row.wanted is None else str(row.wanted), reached, command
