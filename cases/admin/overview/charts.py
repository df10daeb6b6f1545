"""PURE: a bar chart as the numbers that its SVG is drawn with; must not know what is counted.

A chart is drawn by the server, because no script and no style may stand in a page, and it always comes with its table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# The drawing's own units. Its height and width on the page are the style sheet's.
WIDTH, HEIGHT = 400.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 10.0, 10.0, 26.0
TICKS = 4
# Of the room that a bar has.
BAR_SHARE = 0.68
SMALLEST_BAR = 1.5


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind, one for each label; None where there is nothing to show."""

    label: str
    tone: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    tone: str
    hint: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word on an axis at `at`."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template writes. `key` tells the charts of a page apart."""

    key: str
    title: str
    description: str
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    legend: tuple[Series, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def is_empty(self) -> bool:
        return not self.bars


def draw_bars(
    key: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    unit: str = "Day",
    write: Callable[[float], str] = lambda value: f"{value:,.0f}",
    is_whole: bool = True,
) -> Chart:
    """Returns the series stacked on each other, a bar for each label; `write` says a number as people read it."""
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(labels))]
    top = find_top(max(totals, default=0), is_whole=is_whole)
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    bars: list[Bar] = []
    for place, label in enumerate(labels):
        bars += _stack(place, label, series, step, top, write)
    floor = HEIGHT - BOTTOM
    return Chart(
        key=key,
        title=title,
        description=description,
        bars=tuple(bars),
        marks=_mark_labels(labels, step),
        ticks=tuple(
            Mark(round(floor - (floor - TOP) * part / TICKS, 1), write(top * part / TICKS)) for part in range(TICKS + 1)
        ),
        legend=tuple(series) if len(series) > 1 else (),
        head=(unit, *(one.label for one in series)),
        rows=tuple(
            (label, *("—" if (value := one.values[place]) is None else write(value) for one in series))
            for place, label in enumerate(labels)
        ),
    )


def _stack(
    place: int, label: str, series: Sequence[Series], step: float, top: float, write: Callable[[float], str]
) -> list[Bar]:
    bars = []
    floor = HEIGHT - BOTTOM
    for one in series:
        value = one.values[place]
        if not value:
            continue
        height = max((HEIGHT - BOTTOM - TOP) * value / top, SMALLEST_BAR)
        floor -= height
        x = LEFT + step * place + step * (1 - BAR_SHARE) / 2
        hint = f"{label}: {one.label.lower()} {write(value)}"
        bars.append(Bar(round(x, 1), round(floor, 1), round(step * BAR_SHARE, 1), round(height, 1), one.tone, hint))
    return bars


def _mark_labels(labels: Sequence[str], step: float) -> tuple[Mark, ...]:
    """Returns as many labels as there is room for, the last one always."""
    every = math.ceil(len(labels) / 7) or 1
    return tuple(
        Mark(round(LEFT + step * (place + 0.5), 1), label)
        for place, label in enumerate(labels)
        if (len(labels) - 1 - place) % every == 0
    )


def find_top(highest: float, *, is_whole: bool) -> float:
    """Returns where the axis ends: at least `highest`, and a round number in each of its TICKS parts."""
    if highest <= 0:
        return float(TICKS)
    rough = highest / TICKS
    scale = 10.0 ** math.floor(math.log10(rough))
    part = next(nice * scale for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * (1 - 1e-9))
    if is_whole:
        part = max(1.0, math.ceil(part))
    return part * TICKS
