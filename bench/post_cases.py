"""POST /cases against a bare Django view that does the same two inserts: rate, latency and processor time."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import boto3
import psycopg

from bench.database import migrate, own_database
from bench.load import Load, UnexpectedAnswer, make_request, play
from bench.processes import read_cpu_s, run_gunicorn, run_queue
from bench.table import Row, Wanted
from cases import keys

WANTED_RATIO = 0.7
QUEUE = "offload-bench"
BODY = {
    "channel": "EMAIL",
    "clientReferenceId": "vendor-1042",
    "goal": {
        "objective": "Collect a signed W-9 from Maya at Northstar",
        "knowledge": "Invoice 1042 can be paid once the form is on file. It is needed by Friday.",
    },
    "counterparty": {
        "name": "Maya Lindqvist",
        "address": "maya@northstar.example",
        "timezone": "Europe/Stockholm",
    },
    "senderPersona": {"name": "Ana Reyes", "role": "Accounts payable", "company": "Acme"},
    "resultSchema": {
        "type": "object",
        "properties": {"legalName": {"type": "string"}, "taxId": {"type": "string"}},
        "required": ["legalName", "taxId"],
    },
    "clientWebhookUrl": "https://hooks.northstar.example/offload",
    "metadata": {"invoice": 1042},
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server and what it is asked."""

    name: str
    pid: int
    port: int
    request: bytes


@dataclass(frozen=True, slots=True)
class Round:
    """One stretch of load on one server: `cpu_s` is the server's, `queue_cpu_s` the queue endpoint's."""

    load: Load
    cpu_s: float
    queue_cpu_s: float


def run(arguments: list[str]) -> list[Row]:
    """Runs the bench and prints its report; returns its row. Raises NotMeasured."""
    parser = argparse.ArgumentParser(prog="python -m bench post_cases", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="of both servers, in alternating order (8)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load on each server in each round (4)")
    parser.add_argument("--connections", type=int, default=16, help="kept alive, each with one request at a time (16)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, own_database() as url:
        return [_measure(Path(directory), url, options)]


def _measure(directory: Path, url: str, options: argparse.Namespace) -> Row:
    with run_queue(directory) as (queue_pid, queue_url), psycopg.connect(url, autocommit=True) as database:
        env = _compose_environment(url, queue_url)
        migrate(env)
        bare_client, _ = _create_client(database, "bare")
        own_client, key = _create_client(database, "offload")
        bare_env = env | {"DJANGO_SETTINGS_MODULE": "bench.bare_settings", "BENCH_CLIENT_ID": bare_client}
        body = json.dumps(BODY).encode()
        with (
            run_gunicorn("django.core.wsgi:get_wsgi_application()", bare_env, directory / "bare.log") as bare_at,
            run_gunicorn("offload.wsgi", env, directory / "offload.log") as own_at,
        ):
            bare = Subject("bare Django", *bare_at, make_request("/cases", body, {}))
            offload = Subject("Offload", *own_at, make_request("/cases", body, {"x-api-key": key}))
            rounds = _play_rounds([bare, offload], queue_pid, options)
        # The servers have ended, so what waited in them has been sent.
        proof = _prove(database, rounds, queue_url, own_client)
    return _report(rounds, proof, options)


def _compose_environment(url: str, queue_url: str) -> dict[str, str]:
    ours = ("OFFLOAD_", "AGENTMAIL_", "AWS_", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "offload.settings",
        "DATABASE_URL": url,
        "OFFLOAD_MODE": "local",
        "OFFLOAD_SECRET_KEY": "only-for-a-bench-not-a-secret",
        "OFFLOAD_QUEUE": QUEUE,
        "OFFLOAD_LOG_LEVEL": "WARNING",
        # Counted as in production, but never reached.
        "OFFLOAD_RATE_LIMIT_PER_KEY": "1000000",
        "OFFLOAD_RATE_LIMIT_PER_IP": "1000000",
        "AWS_ENDPOINT_URL_SQS": queue_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


def _create_client(database: psycopg.Connection[tuple[object, ...]], name: str) -> tuple[str, str]:
    client_id, key = str(uuid4()), keys.make_key()
    database.execute(
        "INSERT INTO cases_client (id, name, is_active, created_at) VALUES (%s, %s, true, now())", [client_id, name]
    )
    database.execute(
        """
        INSERT INTO cases_apikey (client_id, name, prefix, digest, is_active, created_at)
        VALUES (%s, 'bench', %s, %s, true, now())
        """,
        [client_id, keys.get_prefix(key), keys.get_digest(key)],
    )
    return client_id, key


def _play_rounds(subjects: list[Subject], queue_pid: int, options: argparse.Namespace) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    for number in range(options.rounds + 1):
        # Whoever comes second meets a warmer database, so they take turns.
        for subject in subjects if number % 2 else reversed(subjects):
            before, queue_before = read_cpu_s(subject.pid), read_cpu_s(queue_pid)
            load = play(
                subject.port,
                subject.request,
                status=201,
                connections=options.connections,
                seconds=options.seconds,
            )
            played = Round(load, read_cpu_s(subject.pid) - before, read_cpu_s(queue_pid) - queue_before)
            rounds[subject.name].append(played)
    return rounds


def _prove(
    database: psycopg.Connection[tuple[object, ...]], rounds: Mapping[str, list[Round]], queue_url: str, own_client: str
) -> str:
    """Returns what was stored, after a check that no answer was given for less than its two rows.

    Raises UnexpectedAnswer.
    """
    answered = sum(len(one.load.latencies) for played in rounds.values() for one in played)
    query = """
        SELECT count(*), count(event.id), count(*) FILTER (WHERE client_id = %s)
          FROM cases_case LEFT JOIN cases_caseevent event ON case_id = cases_case.id
    """
    cases, events, own_cases = database.execute(query, [own_client]).fetchall()[0]
    if not answered == cases == events:
        raise UnexpectedAnswer(f"{answered} answers, but {cases} cases and {events} events")
    queue = boto3.client(
        "sqs", endpoint_url=queue_url, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
    )
    address = queue.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    found = queue.get_queue_attributes(QueueUrl=address, AttributeNames=["ApproximateNumberOfMessages"])
    nudges = found["Attributes"]["ApproximateNumberOfMessages"]
    return f"{answered} answers, cases and events; {nudges} nudges in the queue for {own_cases} cases of Offload"


def _report(all_rounds: Mapping[str, list[Round]], proof: str, options: argparse.Namespace) -> Row:
    # The first round only warms up.
    rounds = {name: played[1:] for name, played in all_rounds.items()}
    how = f"{options.connections} connections, gunicorn gthread 2 x 4, {options.rounds} rounds of {options.seconds:g} s"
    lines = [
        f"POST /cases: {how} each; medians",
        "",
        f"{'':12}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'server CPU ms/req':>20}{'queue CPU ms/req':>19}",
    ]
    for name, played in rounds.items():
        rate = median(one.load.rate for one in played)
        p50, p99 = (median(one.load.get_percentile_ms(percent) for one in played) for percent in (50, 99))
        cpu, queue = (
            median(getattr(one, part) / len(one.load.latencies) * 1000 for one in played)
            for part in ("cpu_s", "queue_cpu_s")
        )
        lines.append(f"{name:12}{rate:8.0f}{p50:9.1f}{p99:9.1f}{cpu:20.2f}{queue:19.2f}")
    bare, offload = rounds.values()
    ratios = [ours.load.rate / theirs.load.rate for ours, theirs in zip(offload, bare, strict=True)]
    own = median(one.load.own_cpu_s / len(one.load.latencies) * 1000 for one in (*bare, *offload))
    row = Row(
        "POST /cases against a bare Django view",
        f"{median(one.load.rate for one in offload):.0f}/s",
        f"{median(one.load.rate for one in bare):.0f}/s",
        median(ratios),
        Wanted(WANTED_RATIO, is_least=True),
    )
    lines += [
        "",
        f"Offload / bare, req/s, by round: {' '.join(f'{ratio:.2f}' for ratio in ratios)}",
        f"median {median(ratios):.2f}; wanted {WANTED_RATIO}: {'reached' if row.is_reached else 'missed'}",
        f"load generator: {own:.2f} ms CPU a request, on the same processors",
        proof,
    ]
    print("\n".join(lines))
    return row
