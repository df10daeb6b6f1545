"""How many evaluations one worker process keeps in flight while the model takes its time, and in how much memory."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import psycopg

from bench.clients import create_client
from bench.database import NoDatabase, migrate, own_database
from bench.driving import Stuck, count_rows, open_cases
from bench.environment import compose_environment
from bench.peers import POOL, compose_mail_settings, run_mail, run_worker
from bench.processes import DidNotStart, find_port, list_processes, read_cpu_s, run_gunicorn, run_queue, run_server
from bench.sweep_rows import Connection

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


def run(arguments: list[str]) -> int:
    """Runs the bench and prints its table; returns 0, 1 when the target is missed, 2 when it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m bench in_flight", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="that the model takes to judge (3)")
    parser.add_argument("--turns", type=int, default=6, help="evaluations for each thread or process (6)")
    parser.add_argument("--only", metavar="AGENT/POOL/N", help="one row, such as model/threads/64")
    options = parser.parse_args(arguments)
    settings = [one for one in SETTINGS if options.only in (None, f"{one.agent}/{one.pool}/{one.concurrency}")]
    if not settings:
        parser.error(f"--only: one of {', '.join(f'{one.agent}/{one.pool}/{one.concurrency}' for one in SETTINGS)}")
    try:
        rows = []
        for setting in settings:
            with tempfile.TemporaryDirectory() as directory, own_database() as url:
                rows.append((setting, _measure(setting, Path(directory), url, options)))
    except (NoDatabase, DidNotStart, Stuck) as error:
        print(error, file=sys.stderr)
        return 2
    return _report(rows, options)


def _measure(setting: Setting, logs: Path, url: str, options: argparse.Namespace) -> Figures:
    # One thread more than the worker takes would only wait.
    cases = setting.concurrency * options.turns
    with ExitStack() as stack:
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        _, queue_url = stack.enter_context(run_queue(logs))
        model_port = stack.enter_context(_run_model(options.seconds, logs))
        mail_port = find_port()
        env = compose_environment(
            url,
            queue_url,
            OFFLOAD_RATE_LIMIT_PER_KEY="1000000",
            OFFLOAD_RATE_LIMIT_PER_IP="1000000",
            OFFLOAD_MODEL="openai-chat:gpt-4o",
            OFFLOAD_MODEL_API_KEY="only-for-a-bench",
            OFFLOAD_MODEL_BASE_URL=f"http://127.0.0.1:{model_port}/v1",
            OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD="0",
            AGENT_SECONDS=str(options.seconds),
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


@contextmanager
def _run_model(seconds: float, logs: Path) -> Iterator[int]:
    port = find_port()
    command = [sys.executable, "-m", "bench.model_stub", str(port), str(seconds)]
    env = {"PATH": "/usr/bin:/bin"}
    with run_server(command, env, logs / "model.log", port, "/"):
        yield port


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
        now_rss, now_pss = _read_memory_mb(worker_pid)
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


def _read_memory_mb(pid: int) -> tuple[float, float]:
    """Returns RSS and PSS of a process with its children; PSS counts what they share once."""
    totals = {"Rss": 0, "Pss": 0}
    for one in list_processes(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in totals:
                totals[name] += int(value.split()[0])
    return totals["Rss"] / 1024, totals["Pss"] / 1024


def _report(rows: list[tuple[Setting, Figures]], options: argparse.Namespace) -> int:
    print(f"Evaluations in flight in one worker; the model takes {options.seconds:g} s to judge\n")
    print(
        f"{'agent':10}{'pool':9}{'n':>4}{'in flight':>11}{'a second':>10}{'RSS MB':>8}{'PSS MB':>8}{'CPU ms each':>13}"
    )
    for setting, found in rows:
        print(
            f"{setting.agent:10}{setting.pool:9}{setting.concurrency:4}{found.in_flight:11.0f}"
            f"{found.evaluations_a_second:10.1f}{found.rss_mb:8.0f}{found.pss_mb:8.0f}{found.cpu_ms:8.0f}"
        )
    best = [found for setting, found in rows if (setting.agent, setting.pool) == ("model", "threads")]
    is_reached = any(one.in_flight >= WANTED_IN_FLIGHT and one.rss_mb < WANTED_MB for one in best)
    verdict = "reached" if is_reached else "missed"
    print(f"\nwanted: {WANTED_IN_FLIGHT} in flight in one process under {WANTED_MB} MB, asking a model: {verdict}")
    return 0 if is_reached or not best else 1
