"""What a page of the console costs the server at a million cases, against the plainest query of the same 50 rows."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

import psycopg

from bench.admin_rows import USER, make_rows
from bench.database import migrate, own_database
from bench.environment import compose_environment
from bench.processes import ROOT
from bench.table import NotMeasured, Row, Wanted

WANTED_MS = 300.0
MAKE_USER = """
INSERT INTO auth_user (username, password, first_name, last_name, email, is_staff, is_superuser, is_active, date_joined)
VALUES (%s, '!', '', '', '', true, true, true, now()) RETURNING id
"""


class Failed(NotMeasured):
    """The pages could not be measured; the message is what the process said."""


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its report; returns the row of the slowest page. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench admin_list", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="in the table (1000000)")
    parser.add_argument("--rounds", type=int, default=5, help="of every page, after one to warm up (5)")
    options = parser.parse_args(arguments)
    with own_database() as url:
        env = compose_environment(url, "http://127.0.0.1:9")
        migrate(env)
        with psycopg.connect(url, autocommit=True) as database:
            row = database.execute(MAKE_USER, [USER]).fetchone()
            started = time.perf_counter()
            make_rows(database, options.cases, row[0] if row else 0)
        return _report(_measure(env, options.rounds), options, time.perf_counter() - started)


def _measure(env: dict[str, str], rounds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.admin_process", str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}:\n{done.stderr[-3000:]}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _report(measured: dict[str, Any], options: argparse.Namespace, filling_s: float) -> list[Row]:
    plain = median(measured["plain"])
    print(
        f"Console: {options.cases:,} cases; medians of {options.rounds} rounds (rows made in {filling_s:.0f} s)\n"
        f"the plainest query of 50 rows: {plain:.1f} ms\n\n{'':28}      ms  CPU ms  x plain  queries"
    )
    slow = busy_pages = 0
    for name, took in measured["pages"].items():
        ms = median(took)
        slow += ms > WANTED_MS
        mark = "  too slow" if ms > WANTED_MS else ""
        busy = median(measured["processor"][name])
        busy_pages += busy > WANTED_MS
        print(f"{name:28} {ms:7.0f} {busy:7.0f}  {ms / plain:7.1f}  {measured['queries'][name]:7}{mark}")
    verdict = "reached" if not slow else f"missed by {slow} of {len(measured['pages'])}"
    print(f"\nwanted at most {WANTED_MS:g} ms for every page: {verdict}; by processor time: {busy_pages} too slow")
    slowest, took = max(measured["pages"].items(), key=lambda page: float(median(page[1])))
    row = Row(
        f"console at {options.cases:,} cases, slowest page ({slowest}) against a plain query of 50 rows",
        f"{median(took):,.0f} ms",
        f"{plain:.1f} ms",
        median(took) / plain,
        Wanted(WANTED_MS, is_least=False, unit="ms"),
        figure=median(took),
    )
    return [row]
