"""Cases from POST to COMPLETED on one worker against DBOS Transact's equivalent workflow on the same PostgreSQL."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg

from bench.clients import create_client
from bench.database import migrate, own_database
from bench.driving import count_rows, open_cases, wait_for_rows
from bench.environment import compose_environment
from bench.peers import (
    CONCURRENCY,
    DbosWorker,
    compose_mail_settings,
    install_dbos,
    run_dbos,
    run_mail,
    run_offload,
)
from bench.processes import find_port, read_cpu_s, run_queue
from bench.sweep_rows import Connection, forget_cases, make_rows
from bench.table import Row, Wanted

WANTED_RATIO = 2.0
# Of the throughput beside 10,000 waiting cases to that without; what is below says that waiting costs something.
WANTED_BESIDE = 0.9
IDLE_SECONDS = 10.0
OURS_DONE = """
SELECT count(*) FROM cases_case JOIN cases_client c ON c.id = client_id WHERE c.name = 'poster' AND status = 'COMPLETED'
"""
THEIRS_DONE = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND name = 'coordinate'"


@dataclass(slots=True)
class Side:
    """Cases completed in a second, and the one worker's processor time a case in ms, by round."""

    rates: list[float] = field(default_factory=list)
    worker_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subject:
    """start: opens so many cases and returns once all are open. done: counts those that were completed."""

    database: Connection
    start: Callable[[int], None]
    done: str
    worker_pid: int

    def play(self, cases: int, side: Side) -> None:
        """Plays one round and notes its figures."""
        before, cpu_s, started = count_rows(self.database, self.done), read_cpu_s(self.worker_pid), time.perf_counter()
        self.start(cases)
        wait_for_rows(self.database, self.done, before + cases)
        side.rates.append(cases / (time.perf_counter() - started))
        side.worker_ms.append((read_cpu_s(self.worker_pid) - cpu_s) / cases * 1000)


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its report; returns its rows. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench against_dbos", description=__doc__)
    parser.add_argument("--cases", type=int, default=500, help="of each side in each round (500)")
    parser.add_argument("--rounds", type=int, default=5, help="of both, in turns, after one to warm up (5)")
    parser.add_argument("--waiting", type=int, default=10_000, help="cases that wait in part two (10000)")
    parser.add_argument("--park", type=int, default=0, help="DBOS workflows to wait in part three (0)")
    options = parser.parse_args(arguments)
    python = install_dbos()
    with tempfile.TemporaryDirectory() as directory, own_database() as url:
        return _measure(Path(directory), url, python, options)


def _measure(logs: Path, url: str, python: Path, options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        ours = _start_ours(stack, database, url, logs)
        dbos = _start_theirs(stack, url, python, logs)
        theirs = Subject(database, lambda count: dbos.start(str(count)), THEIRS_DONE, dbos.pid)
        our_side, their_side = Side(), Side()
        for number in range(options.rounds + 1):
            pair = [(ours, our_side), (theirs, their_side)]
            # Whoever comes second meets a warmer database, so they take turns.
            for subject, side in pair if number % 2 else reversed(pair):
                # The first round only warms up.
                subject.play(options.cases, side if number else Side())
        rows = [_report(our_side, their_side, options)]
        if options.waiting:
            rows.append(_measure_beside(database, ours, options))
        if options.park:
            _measure_parked(dbos, theirs, options)
    return rows


def _start_ours(stack: ExitStack, database: Connection, url: str, logs: Path) -> Subject:
    _, queue_url = stack.enter_context(run_queue(logs))
    mail_port = find_port()
    env = compose_environment(
        url,
        queue_url,
        OFFLOAD_RATE_LIMIT_PER_KEY="1000000",
        OFFLOAD_RATE_LIMIT_PER_IP="1000000",
        **compose_mail_settings(f"http://127.0.0.1:{mail_port}"),
    )
    migrate(env)
    _, key = create_client(database, "poster")
    port, worker_pid = stack.enter_context(run_offload(env, logs))
    stack.enter_context(run_mail(mail_port, f"http://127.0.0.1:{port}/agentmail/webhook", logs / "mail.log"))
    return Subject(database, lambda count: open_cases(port, key, count), OURS_DONE, worker_pid)


def _start_theirs(stack: ExitStack, url: str, python: Path, logs: Path) -> DbosWorker:
    mail_port, web_port = find_port(), find_port()
    dbos = stack.enter_context(run_dbos(python, url, f"http://127.0.0.1:{mail_port}", web_port, logs))
    stack.enter_context(run_mail(mail_port, f"http://127.0.0.1:{web_port}/", logs / "dbos_mail.log"))
    return dbos


def _report(ours: Side, theirs: Side, options: argparse.Namespace) -> Row:
    print(f"POST to COMPLETED: {options.rounds} rounds of {options.cases} cases, one worker each; medians\n")
    print(f"{'':14}{'cases/s':>9}{'worker CPU ms/case':>20}")
    for name, side in ((f"Offload, -c {CONCURRENCY}", ours), ("DBOS Transact", theirs)):
        print(f"{name:14}{median(side.rates):9.1f}{median(side.worker_ms):20.1f}")
    ratios = [mine / other for mine, other in zip(ours.rates, theirs.rates, strict=True)]
    row = Row(
        "POST to COMPLETED on one worker against DBOS Transact",
        f"{median(ours.rates):.1f}/s",
        f"{median(theirs.rates):.1f}/s",
        median(ratios),
        Wanted(WANTED_RATIO, is_least=True),
    )
    print(f"\nOffload / DBOS, cases/s, by round: {' '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print(f"median {median(ratios):.2f}; wanted {WANTED_RATIO:g}: {'reached' if row.is_reached else 'missed'}")
    return row


def _measure_beside(database: Connection, ours: Subject, options: argparse.Namespace) -> Row:
    """Compares the same load with and without cases that wait for their counterparty."""
    alone, beside = Side(), Side()
    idle: dict[bool, list[float]] = {False: [], True: []}
    for number in range(options.rounds):
        for waits in (False, True) if number % 2 else (True, False):
            if waits:
                # Half of what is made has ended.
                make_rows(database, options.waiting * 2, 0)
            idle[waits].append(_read_idle_share(ours.worker_pid))
            ours.play(options.cases, beside if waits else alone)
            forget_cases(database)
    ratio = median(one / other for one, other in zip(beside.rates, alone.rates, strict=True))
    row = Row(
        f"the same beside {options.waiting:,} waiting cases against without them",
        f"{median(beside.rates):.1f}/s",
        f"{median(alone.rates):.1f}/s",
        ratio,
        Wanted(WANTED_BESIDE, is_least=True),
    )
    print(
        f"\nbeside {options.waiting:,} waiting cases: {ratio:.2f} of the rate without them; wanted {WANTED_BESIDE:g}: "
        f"{'reached' if row.is_reached else 'missed'}; worker CPU {median(beside.worker_ms):.1f} ms a case against "
        f"{median(alone.worker_ms):.1f}\nidle worker: {median(idle[True]):.2%} of a core beside them, "
        f"{median(idle[False]):.2%} without"
    )
    return row


def _measure_parked(dbos: DbosWorker, theirs: Subject, options: argparse.Namespace) -> None:
    alone, beside = Side(), Side()
    idle_before = _read_idle_share(dbos.pid)
    theirs.play(options.cases, alone)
    started = time.perf_counter()
    dbos.start(f"park {options.park}")
    parking_s = time.perf_counter() - started
    idle = _read_idle_share(dbos.pid)
    theirs.play(options.cases, beside)
    print(
        f"\nDBOS beside {options.park:,} waiting workflows ({parking_s:.0f} s to park): "
        f"{beside.rates[0] / alone.rates[0]:.2f} of its rate without; "
        f"idle {idle:.2%} of a core, {idle_before:.2%} before"
    )


def _read_idle_share(pid: int) -> float:
    before = read_cpu_s(pid)
    time.sleep(IDLE_SECONDS)
    return (read_cpu_s(pid) - before) / IDLE_SECONDS
