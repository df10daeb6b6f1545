"""How many evaluations one worker process keeps in flight while the model takes its time, and in how much memory."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import psycopg

from bench.clients import create_client
from bench.database import migrate, own_database
from bench.driving import Stuck, count_rows, open_cases
from bench.environment import compose_environment
from bench.peers import POOL, compose_mail_settings, compose_model_settings, run_mail, run_model, run_worker
from bench.processes import find_port, read_cpu_s, read_memory_mb, run_gunicorn, run_queue
from bench.sweep_rows import Connection
from bench.table import Row, Wanted

WANTED_IN_FLIGHT = 50
WANTED_MB = 400
PATIENCE_S = 600.0
EVALUATED = "SELECT count(*) FROM cases_caseevent WHERE kind = 'REPLY_RECEIVED' AND status = 'done'"
RUNNING = "SELECT count(*) FROM cases_caseevent WHERE kind = 'REPLY_RECEIVED' AND status = 'running'"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a worker. agent: `scripted` sleeps in its thread, `model` asks a model over HTTP."""

    agent: str
    pool: str
    concurrency: int


@dataclass(frozen=True, slots=True)
class Figures:
    """in_flight: what was in flight while there was enough to do, the median; memory in MB, the highest seen."""

    in_flight: float
    evaluations_a_second: float
    rss_mb: float
    pss_mb: float
    connections: int
    cpu_ms: float


SETTINGS = [
    Setting("model", "threads", 64),
    Setting("scripted", "threads", 64),
    Setting("model", "threads", 16),
    Setting("model", "threads", 128),
    Setting("model", "prefork", 8),
    Setting("model", "solo", 1),
]


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its table; returns the row of what one process asked a model. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench in_flight", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="that the model takes to judge (3)")
    parser.add_argument("--turns", type=int, default=6, help="evaluations for each thread or process (6)")
    parser.add_argument("--only", metavar="AGENT/POOL/N", help="one row, such as model/threads/64")
    options = parser.parse_args(arguments)
    settings = [one for one in SETTINGS if options.only in (None, f"{one.agent}/{one.pool}/{one.concurrency}")]
    if not settings:
        parser.error(f"--only: one of {', '.join(f'{one.agent}/{one.pool}/{one.concurrency}' for one in SETTINGS)}")
    rows = []
    for setting in settings:
        with tempfile.TemporaryDirectory() as directory, own_database() as url:
            rows.append((setting, _measure(setting, Path(directory), url, options)))
    return _report(rows, options)


def _measure(setting: Setting, logs: Path, url: str, options: argparse.Namespace) -> Figures:
    # One thread more than the worker takes would only wait.
    cases = setting.concurrency * options.turns
    with ExitStack() as stack:
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        _, queue_url = stack.enter_context(run_queue(logs))
        model_port = stack.enter_context(run_model(options.seconds, logs))
        mail_port = find_port()
        env = compose_environment(
            url,
            queue_url,
            OFFLOAD_RATE_LIMIT_PER_KEY="1000000",
            OFFLOAD_RATE_LIMIT_PER_IP="1000000",
            AGENT_SECONDS=str(options.seconds),
            **compose_model_settings(model_port),
            **compose_mail_settings(f"http://127.0.0.1:{mail_port}"),
        )
        migrate(env)
        _, key = create_client(database, "bench")
        _, port = stack.enter_context(run_gunicorn("offload.wsgi", env, logs / "web.log"))
        stack.enter_context(run_mail(mail_port, f"http://127.0.0.1:{port}/agentmail/webhook", logs / "mail.log"))
        # A pool of connections is for threads; a process of prefork has one connection.
        env |= {"OFFLOAD_DB_POOL_SIZE": str(POOL if setting.pool == "threads" else 0)}
        application = "bench.scripted_worker" if setting.agent == "scripted" else "offload"
        pool = ["-P", setting.pool, "-c", str(setting.concurrency)]
        worker_pid = stack.enter_context(run_worker(env, logs / "worker.log", pool, application))
        open_cases(port, key, cases)
        return _watch(database, worker_pid, model_port, setting, cases)


def _watch(database: Connection, worker_pid: int, model_port: int, setting: Setting, cases: int) -> Figures:
    """Samples until every reply is evaluated; what counts is the time in which more waited than could be taken."""
    in_flight: list[int] = []
    rss, pss, connections = 0.0, 0.0, 0
    began = done_then = cpu_then = 0.0
    deadline = time.monotonic() + PATIENCE_S
    while (done := count_rows(database, EVALUATED)) < cases:
        if time.monotonic() > deadline:
            raise Stuck(f"{done} of {cases} replies were evaluated after {PATIENCE_S:.0f} s")
        flying = _count_in_flight(database, model_port, setting)
        if done and not began:
            began, done_then, cpu_then = time.monotonic(), done, read_cpu_s(worker_pid)
        if began and done <= cases - setting.concurrency:
            in_flight.append(flying)
            ended, done_last = time.monotonic(), done
        now_rss, now_pss = read_memory_mb(worker_pid)
        rss, pss = max(rss, now_rss), max(pss, now_pss)
        connections = max(connections, _count_connections(database))
        time.sleep(0.1)
    span = max(ended - began, 0.001)
    rate = (done_last - done_then) / span
    cpu_ms = (read_cpu_s(worker_pid) - cpu_then) / (cases - done_then) * 1000
    return Figures(median(in_flight), rate, rss, pss, connections, cpu_ms)


def _count_in_flight(database: Connection, model_port: int, setting: Setting) -> int:
    if setting.agent == "scripted":
        return count_rows(database, RUNNING)
    with urlopen(f"http://127.0.0.1:{model_port}/", timeout=10) as answer:
        return int(json.load(answer)["in_flight"])


def _count_connections(database: Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return count_rows(database, query)


def _report(rows: list[tuple[Setting, Figures]], options: argparse.Namespace) -> list[Row]:
    print(f"Evaluations in flight in one worker; the model takes {options.seconds:g} s to judge\n")
    print(
        f"{'agent':10}{'pool':9}{'n':>4}{'in flight':>11}{'a second':>10}{'RSS MB':>8}{'PSS MB':>8}{'CPU ms each':>13}"
    )
    for setting, found in rows:
        print(
            f"{setting.agent:10}{setting.pool:9}{setting.concurrency:4}{found.in_flight:11.0f}"
            f"{found.evaluations_a_second:10.1f}{found.rss_mb:8.0f}{found.pss_mb:8.0f}{found.cpu_ms:8.0f}"
        )
    asking = [(setting, found) for setting, found in rows if (setting.agent, setting.pool) == ("model", "threads")]
    if not asking:
        return []
    # The best of those that keep to the memory; without one, the best.
    setting, best = max(asking, key=lambda one: (one[1].rss_mb < WANTED_MB, one[1].in_flight))
    row = Row(
        f"evaluations in flight, one process of {setting.concurrency} threads, under {WANTED_MB} MB",
        f"{best.in_flight:.0f} in {best.rss_mb:.0f} MB",
        "",
        None,
        Wanted(WANTED_IN_FLIGHT, is_least=True, unit="in flight"),
        figure=best.in_flight,
        also=best.rss_mb < WANTED_MB,
    )
    verdict = "reached" if row.is_reached else "missed"
    print(f"\nwanted: {WANTED_IN_FLIGHT} in flight in one process under {WANTED_MB} MB, asking a model: {verdict}")
    return [row]
