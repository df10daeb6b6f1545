"""The hourly sweep against the bare INSERT of the same rows: time, memory, nudges, and an hour with nothing due."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from uuid import UUID

import psycopg

from bench.counting_queue import CountingQueue, run_counting_queue
from bench.database import migrate, own_database
from bench.environment import compose_environment
from bench.processes import ROOT
from bench.sweep_rows import BARE_INSERT, Connection, forget_due_events, make_rows, read_fingerprint
from bench.table import NotMeasured, Row, Wanted, judge
from cases.follow_ups import BATCH, RECORD_BATCH

WANTED_RATIO = 2.0
WANTED_NOTHING_MS = 10.0
INDEX = "case_due"


class WrongAnswer(NotMeasured):
    """The sweep did something else than what it is compared with; its time is worth nothing."""


@dataclass(slots=True)
class Figures:
    """Seconds by round; memory in MB."""

    bare_s: list[float] = field(default_factory=list)
    recording_s: list[float] = field(default_factory=list)
    recording_peak_mb: list[float] = field(default_factory=list)
    recording_growth_mb: list[float] = field(default_factory=list)
    filling_s: float = 0.0
    plan: str = ""
    nothing_ms: float = 0.0
    nothing_peak_mb: float = 0.0
    task_s: float = 0.0
    task_peak_mb: float = 0.0
    messages: int = 0
    calls: int = 0


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its report; returns its rows. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench sweep", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="in the table (1000000)")
    parser.add_argument("--due", type=int, default=100_000, help="of them due (100000)")
    parser.add_argument("--rounds", type=int, default=5, help="of both, in alternating order, after one to warm up (5)")
    options = parser.parse_args(arguments)
    with own_database() as url, run_counting_queue() as queue:
        figures = _measure(url, queue, options)
    return _report(figures, options)


def _measure(url: str, queue: CountingQueue, options: argparse.Namespace) -> Figures:
    env = compose_environment(url, queue.url)
    migrate(env)
    figures = Figures()
    with psycopg.connect(url, autocommit=True) as database:
        started = time.perf_counter()
        make_rows(database, options.cases, options.due)
        figures.filling_s = time.perf_counter() - started
        now = datetime.now(UTC)
        figures.plan = _explain(database, now)
        _play_rounds(database, env, now, figures, options)
        nothing = _sweep(env, "nothing", now)
        _check(nothing["events"] == 0, "something was due where nothing should be")
        figures.nothing_ms, figures.nothing_peak_mb = nothing["seconds"] * 1000, nothing["rss_peak_mb"]
        forget_due_events(database)
        task = _sweep(env, "task", now)
        figures.task_s, figures.task_peak_mb = task["seconds"], task["rss_peak_mb"]
        figures.messages, figures.calls = queue.messages, queue.calls["SendMessageBatch"]
        count, _ = read_fingerprint(database)
        _check(count == options.due, f"the task recorded {count} of {options.due} events")
        _check(queue.messages <= options.due, f"{queue.messages} nudges for {options.due} events")
    return figures


def _play_rounds(
    database: Connection, env: dict[str, str], now: datetime, figures: Figures, options: argparse.Namespace
) -> None:
    for number in range(options.rounds + 1):
        fingerprints = set()
        # Whoever comes second meets a warmer disk, so they take turns.
        for name in ("bare", "ours") if number % 2 else ("ours", "bare"):
            forget_due_events(database)
            if name == "bare":
                started = time.perf_counter()
                database.execute(BARE_INSERT, {"now": now})
                bare_s = time.perf_counter() - started
            else:
                ours = _sweep(env, "record", now)
            fingerprints.add(read_fingerprint(database))
        _check(len(fingerprints) == 1 and (options.due, 0) < min(fingerprints), f"not the same rows: {fingerprints}")
        # The first round only warms up.
        if number:
            figures.bare_s.append(bare_s)
            figures.recording_s.append(ours["seconds"])
            figures.recording_peak_mb.append(ours["rss_peak_mb"])
            figures.recording_growth_mb.append(ours["rss_peak_mb"] - ours["rss_before_mb"])


def _sweep(env: dict[str, str], what: str, now: datetime) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.sweep_process", what, now.isoformat()]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    _check(done.returncode == 0, f"{' '.join(command)}:\n{done.stderr[-3000:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _explain(database: Connection, now: datetime) -> str:
    """Returns the line of the plan that finds the due cases. Raises WrongAnswer when it is not the partial index."""
    values = {"now": now, "due": datetime.min.replace(tzinfo=UTC), "id": UUID(int=0), "limit": BATCH}
    plan = [row[0] for row in database.execute(f"EXPLAIN {RECORD_BATCH}".encode(), values).fetchall()]
    found = next((line.strip(" ->") for line in plan if INDEX in line), "")
    _check(bool(found), f"the plan does not use {INDEX}:\n" + "\n".join(plan))
    return found


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise WrongAnswer(what)


def _report(figures: Figures, options: argparse.Namespace) -> list[Row]:
    bare, ours = figures.bare_s, figures.recording_s
    ratios = [one / floor for one, floor in zip(ours, bare, strict=True)]
    ratio = median(ratios)
    rows = [
        Row(
            f"sweep of {options.due:,} due cases of {options.cases:,} against one bare INSERT",
            f"{median(ours) * 1000:,.0f} ms",
            f"{median(bare) * 1000:,.0f} ms",
            ratio,
            Wanted(WANTED_RATIO, is_least=False),
        ),
        Row(
            "sweep of an hour with nothing due",
            f"{figures.nothing_ms:.1f} ms",
            "",
            None,
            Wanted(WANTED_NOTHING_MS, is_least=False, unit="ms"),
            figure=figures.nothing_ms,
        ),
    ]
    is_reached = not judge(rows)
    print(
        f"""Sweep: {options.cases:,} cases, {options.due:,} due; medians of {options.rounds} rounds
(rows made in {figures.filling_s:.0f} s)

bare INSERT … SELECT … ON CONFLICT   {median(bare) * 1000:8.0f} ms
record_due_events                    {median(ours) * 1000:8.0f} ms   peak {median(figures.recording_peak_mb):.0f} MB, \
{median(figures.recording_growth_mb):.1f} MB of it by the sweep
nothing due                          {figures.nothing_ms:8.1f} ms   peak {figures.nothing_peak_mb:.0f} MB
the whole task with its nudges       {figures.task_s * 1000:8.0f} ms   peak {figures.task_peak_mb:.0f} MB

sweep / bare by round: {" ".join(f"{one:.2f}" for one in ratios)}
median {ratio:.2f}; wanted at most {WANTED_RATIO:g}; nothing due wanted within {WANTED_NOTHING_MS:g} ms: \
{"reached" if is_reached else "missed"}
{figures.messages:,} nudges in {figures.calls:,} SendMessageBatch calls, none alone
plan: {figures.plan}"""
    )
    return rows
