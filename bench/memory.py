"""Memory of the web server and of the worker against a bare Django and a bare Celery, after the same work."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg

from bench.bare_celery import compose_broker, make_app
from bench.clients import create_client
from bench.database import migrate, own_database
from bench.datagrams import open_counter
from bench.driving import open_cases, wait_for_rows
from bench.environment import compose_environment
from bench.load import make_request, play
from bench.peers import (
    CONCURRENCY,
    POOL,
    compose_mail_settings,
    compose_model_settings,
    run_mail,
    run_model,
    run_worker,
)
from bench.post_cases import BODY
from bench.processes import find_port, list_processes, read_memory_mb, run_gunicorn, run_queue
from bench.table import Row, Wanted

# The web processes share what was loaded before the fork, so the honest sum is PSS.
WANTED_WEB = 2.0
WANTED_WORKER = 5.0
WARM_SECONDS = 1.0
JUDGED = "SELECT count(*) FROM cases_caseevent WHERE kind = 'REPLY_RECEIVED' AND status = 'done'"
THREADS = ["-P", "threads", "-c", str(CONCURRENCY)]


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its table; returns the rows of web and worker. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=200, help="judged, and tasks done, before the worker is read (200)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, own_database() as url, ExitStack() as stack:
        pids = _start_and_use(stack, Path(directory), url, options.cases)
        found = {name: (read_memory_mb(pid), len(list_processes(pid))) for name, pid in pids.items()}
    print("Memory after use, MB; RSS counts what processes share once each, PSS once in all\n")
    print(f"{'':32}{'RSS':>7}{'PSS':>7}")
    for name, ((rss, pss), processes) in found.items():
        print(f"{f'{name} ({processes} processes)':32}{rss:7.0f}{pss:7.0f}")
    return [
        _make_row(
            "PSS of the web server against a bare Django's", found["web"][0], found["bare Django"][0], WANTED_WEB
        ),
        _make_row(
            f"PSS of a worker of {CONCURRENCY} threads against a bare Celery's",
            found["worker"][0],
            found["bare Celery"][0],
            WANTED_WORKER,
        ),
    ]


def _make_row(what: str, ours: tuple[float, float], bare: tuple[float, float], limit: float) -> Row:
    return Row(what, f"{ours[1]:.0f} MB", f"{bare[1]:.0f} MB", ours[1] / bare[1], Wanted(limit, is_least=False))


def _start_and_use(stack: ExitStack, logs: Path, url: str, cases: int) -> dict[str, int]:
    """Returns the pids of the four once each has done some work; they end with the stack."""
    database = stack.enter_context(psycopg.connect(url, autocommit=True))
    _, queue_url = stack.enter_context(run_queue(logs))
    mail_port, model_port = find_port(), stack.enter_context(run_model(0.0, logs))
    env = compose_environment(
        url,
        queue_url,
        OFFLOAD_RATE_LIMIT_PER_KEY="1000000",
        OFFLOAD_RATE_LIMIT_PER_IP="1000000",
        **compose_model_settings(model_port),
        **compose_mail_settings(f"http://127.0.0.1:{mail_port}"),
    )
    migrate(env)
    _, key = create_client(database, "poster")
    bare_client, _ = create_client(database, "bare")
    web, port = stack.enter_context(run_gunicorn("offload.wsgi", env, logs / "web.log"))
    stack.enter_context(run_mail(mail_port, f"http://127.0.0.1:{port}/agentmail/webhook", logs / "mail.log"))
    pooled = env | {"OFFLOAD_DB_POOL_SIZE": str(POOL)}
    worker = stack.enter_context(run_worker(pooled, logs / "worker.log", THREADS, "offload"))
    open_cases(port, key, cases)
    wait_for_rows(database, JUDGED, cases)
    bare_env = env | {"DJANGO_SETTINGS_MODULE": "bench.bare_settings", "BENCH_CLIENT_ID": bare_client}
    bare_web, bare_port = stack.enter_context(
        run_gunicorn("django.core.wsgi:get_wsgi_application()", bare_env, logs / "bare.log")
    )
    request = make_request("/cases", json.dumps(BODY).encode(), {})
    play(bare_port, request, status=201, connections=8, seconds=WARM_SECONDS)
    bare_celery_env = env | {"BARE_BROKER": compose_broker(queue_url)}
    bare_worker = stack.enter_context(run_worker(bare_celery_env, logs / "celery.log", THREADS, "bench.bare_celery"))
    _use_bare_worker(compose_broker(queue_url), cases)
    return {"web": web, "bare Django": bare_web, "worker": worker, "bare Celery": bare_worker}


def _use_bare_worker(broker: str, tasks: int) -> None:
    app = make_app(broker)
    with open_counter() as counter:
        for _ in range(tasks):
            app.send_task("bare.nothing", args=[counter.port])
            counter.wait_for(1)
