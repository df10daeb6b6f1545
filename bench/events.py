"""Events against a no-op Celery task on the same queue: a backlog drained, one case's way to its mail, many cases'."""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import psycopg
from celery import Celery

from bench.bare_celery import QUEUE, compose_broker, make_app
from bench.clients import create_client
from bench.database import migrate, own_database
from bench.datagrams import Counter, open_counter
from bench.driving import BODY, CLIENTS, PATIENCE_S, Stuck, count_rows, open_cases, wait_for_rows
from bench.environment import compose_environment
from bench.peers import CONCURRENCY, POOL, compose_mail_settings, run_mail, run_worker
from bench.processes import ROOT, find_port, run_gunicorn, run_queue
from bench.sweep_rows import Connection, forget_cases, make_rows
from bench.table import Row, Wanted

WANTED_BACKLOG = 0.25
WANTED_TRIP = 8.0
WANTED_RATE = 0.1
SENT = "SELECT count(*) FROM cases_case WHERE status = 'RUNNING'"
DONE = "SELECT count(*) FROM cases_caseevent WHERE kind = 'FOLLOW_UP_DUE' AND status = 'done'"
# Due in cases that have ended: a worker claims each, looks at the case, and finishes it with a sentence.
MAKE_EVENTS = """
INSERT INTO cases_caseevent (key, case_id, kind, payload, payload_hash, status, attempt, failures, waits, leased_by,
                             run_after, nudged_at, nudges, last_error, summary, created_at)
SELECT 'late:' || id, id, 'FOLLOW_UP_DUE', jsonb_build_object('scheduled_for', now()), repeat('0', 64), 'ready', 0, 0,
       0, '', now(), now(), 1, '', '', now()
  FROM cases_case WHERE status = 'COMPLETED'
"""
LOOK_EVERY_S = 0.002
POOL_OPTIONS = ["-P", "threads", "-c", str(CONCURRENCY)]


@dataclass(slots=True)
class Pair:
    """What was measured of ours and of the bare task, by round or by trip."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def get_ratio(self) -> float:
        """Returns the median ratio of the two, taken in pairs."""
        return median(one / other for one, other in zip(self.ours, self.bare, strict=True))


@dataclass(frozen=True, slots=True)
class Place:
    """What both sides share. env: of the product's processes; broker, queue: of the bare ones, at the same endpoint."""

    logs: Path
    database: Connection
    env: dict[str, str]
    broker: str
    counter: Counter
    queue: str = QUEUE

    def on_queues(self, name: str) -> Place:
        """Returns the same place with two queues of its own, named after `name`.

        A worker that ends leaves a poll behind, which takes messages that come later and gives them to nobody.
        """
        return replace(self, env=self.env | {"OFFLOAD_QUEUE": name}, queue=f"{name}-bare")

    def run_ours(self) -> AbstractContextManager[int]:
        pooled = self.env | {"OFFLOAD_DB_POOL_SIZE": str(POOL)}
        return run_worker(pooled, self.logs / "worker.log", POOL_OPTIONS)

    def run_bare(self) -> AbstractContextManager[int]:
        env = self.env | {"BARE_BROKER": self.broker, "BARE_QUEUE": self.queue}
        return run_worker(env, self.logs / "bare.log", POOL_OPTIONS, "bench.bare_celery")

    def send_tasks(self, count: int) -> None:
        """Sends so many no-op tasks, from eight threads."""
        app = self.make_app()
        shares = [count // CLIENTS + (number < count % CLIENTS) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda share: self._send_share(app, share), shares))

    def _send_share(self, app: Celery, count: int) -> None:
        for _ in range(count):
            self.send_task(app)

    def make_app(self) -> Celery:
        return make_app(self.broker, self.queue)

    def send_task(self, app: Celery) -> None:
        app.send_task("bare.nothing", args=[self.counter.port])


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its report; returns its rows. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench events", description=__doc__)
    parser.add_argument("--events", type=int, default=2000, help="in the backlog of each round (2000)")
    parser.add_argument("--cases", type=int, default=400, help="opened at once in each round (400)")
    parser.add_argument("--trips", type=int, default=100, help="cases and tasks one after the other (100)")
    parser.add_argument("--rounds", type=int, default=3, help="of both, in alternating order, after one to warm up (3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, own_database() as url:
        return _measure(Path(directory), url, options)


def _measure(logs: Path, url: str, options: argparse.Namespace) -> list[Row]:
    with ExitStack() as stack:
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        _, queue_url = stack.enter_context(run_queue(logs))
        mail_port = find_port()
        stack.enter_context(run_mail(mail_port, "", logs / "mail.log"))
        env = compose_environment(
            url,
            queue_url,
            OFFLOAD_RATE_LIMIT_PER_KEY="1000000",
            OFFLOAD_RATE_LIMIT_PER_IP="1000000",
            **compose_mail_settings(f"http://127.0.0.1:{mail_port}"),
        )
        migrate(env)
        _, key = create_client(database, "poster")
        place = Place(logs, database, env, compose_broker(queue_url), stack.enter_context(open_counter()))
        backlog = _take_turns(
            options.rounds,
            lambda number: _drain_events(place.on_queues(f"backlog-{number}"), options),
            lambda number: _drain_tasks(place.on_queues(f"backlog-{number}"), options),
        )
        forget_cases(database)
        _, port = stack.enter_context(run_gunicorn("offload.wsgi", env, logs / "web.log"))
        with place.run_ours(), place.run_bare():
            rate = _take_turns(
                options.rounds,
                lambda _: _open_at_once(place, port, key, options),
                lambda _: _send_at_once(place, options),
            )
            trips = _make_trips(place, port, key, options)
    return _report(backlog, trips, rate, options)


def _take_turns(rounds: int, play_ours: Callable[[int], float], play_bare: Callable[[int], float]) -> Pair:
    pair = Pair()
    for number in range(rounds + 1):
        turns = [(pair.ours, play_ours), (pair.bare, play_bare)]
        for side, play in turns if number % 2 else reversed(turns):
            figure = play(number)
            # The first round only warms up.
            if number:
                side.append(figure)
    return pair


# -- A backlog: everything waits before the worker starts


def _drain_events(place: Place, options: argparse.Namespace) -> float:
    """Returns events a second, from the first that was seen done to the last."""
    forget_cases(place.database)
    # Half of what is made has ended.
    make_rows(place.database, options.events * 2, 0)
    place.database.execute(MAKE_EVENTS)
    command = [sys.executable, "-m", "bench.nudging_process"]
    subprocess.run(command, cwd=ROOT, env=place.env, check=True)
    with place.run_ours():
        first_done, started = _watch_first(place.database)
        wait_for_rows(place.database, DONE, options.events)
        return float((options.events - first_done) / (time.perf_counter() - started))


def _watch_first(database: Connection) -> tuple[int, float]:
    """Returns how many events were done when the first was seen, and when. Raises Stuck."""
    deadline = time.monotonic() + PATIENCE_S
    while not (done := count_rows(database, DONE)):
        if time.monotonic() > deadline:
            raise Stuck(f"no event was done after {PATIENCE_S:.0f} s")
        time.sleep(LOOK_EVERY_S)
    return done, time.perf_counter()


def _drain_tasks(place: Place, options: argparse.Namespace) -> float:
    place.send_tasks(options.events)
    with place.run_bare():
        first, last = place.counter.wait_for(options.events)
    return float((options.events - 1) / (last - first))


# -- From POST to the first mail, both workers idle before


def _open_at_once(place: Place, port: int, key: str, options: argparse.Namespace) -> float:
    before, started = count_rows(place.database, SENT), time.perf_counter()
    open_cases(port, key, options.cases)
    wait_for_rows(place.database, SENT, before + options.cases)
    return float(options.cases / (time.perf_counter() - started))


def _send_at_once(place: Place, options: argparse.Namespace) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        # Counted while they are sent: what nobody reads would be lost.
        sending = pool.submit(place.send_tasks, options.cases)
        _, last = place.counter.wait_for(options.cases)
        sending.result()
    return float(options.cases / (last - started))


def _make_trips(place: Place, port: int, key: str, options: argparse.Namespace) -> Pair:
    """Returns ms of each trip: POST to the mail's commit, and a task from its sending to its run."""
    pair, app, headers = Pair(), place.make_app(), {"x-api-key": key, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        for _ in range(options.trips):
            before, started = count_rows(place.database, SENT), time.perf_counter()
            connection.request("POST", "/cases", json.dumps(BODY), headers)
            connection.getresponse().read()
            wait_for_rows(place.database, SENT, before + 1, every_s=LOOK_EVERY_S)
            pair.ours.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            place.send_task(app)
            _, last = place.counter.wait_for(1)
            pair.bare.append((last - started) * 1000)
    return pair


def _report(backlog: Pair, trips: Pair, rate: Pair, options: argparse.Namespace) -> list[Row]:
    rows = [
        _make_row("event that finds nothing to do against a no-op Celery task", backlog, "/s", WANTED_BACKLOG, True),
        _make_row(
            "case from POST to outreach, one by one, against a no-op task's round trip", trips, " ms", WANTED_TRIP
        ),
        _make_row("cases from POST to outreach, many at once, against no-op tasks", rate, "/s", WANTED_RATE, True),
    ]
    print(
        f"Events: one worker of {CONCURRENCY} threads on each side; medians of {options.rounds} rounds of "
        f"{options.events} events and {options.cases} cases, and of {options.trips} trips"
    )
    for row in rows:
        print(f"{row.what}: {row.ours} against {row.base}, ratio {row.ratio:.2f}, wanted {row.wanted}")
    return rows


def _make_row(what: str, pair: Pair, unit: str, limit: float, is_least: bool = False) -> Row:
    ours, bare = (f"{median(side):.0f}{unit}" for side in (pair.ours, pair.bare))
    return Row(what, ours, bare, pair.get_ratio(), Wanted(limit, is_least))
