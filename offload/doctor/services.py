"""Looks at database, queue, beat and workers; must not change anything in them. Each look has its own time limits."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from offload.doctor.findings import Finding, fail, ok, warn
from offload.doctor.places import Place
from offload.models import Pulse
from offload.pulses import LIVES_S, read_pulses
from offload.queues import QueueFault, QueueMissing, Queues, find_danger, list_differences
from webhooks.policies import count_unreadable

OLDEST_POSTGRESQL = 15
SKEW_WARN_S, SKEW_FAIL_S = 5.0, 60.0
# Two sweeps and a long poll: a worker whose queue answers has polled since.
POLLED_WITHIN_S = 60.0
DEEP_QUEUE = 1000
MANY_MIGRATIONS = 3


def check_database(place: Place) -> list[Finding]:
    """Returns whether PostgreSQL answers, is recent enough and has every migration."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '5s'")
            version = connection.connection.info.server_version // 10_000
        plan = MigrationExecutor(connection).migration_plan(MigrationExecutor(connection).loader.graph.leaf_nodes())
    except Error as error:
        remedy = "start PostgreSQL or correct DATABASE_URL"
        return [fail("database", f"no answer: {first_line(error)}", remedy)]
    found = [ok("database", f"PostgreSQL {version} answers")]
    if version < OLDEST_POSTGRESQL:
        remedy = f"move to PostgreSQL {OLDEST_POSTGRESQL} or newer (docs/deploy.md)"
        found = [fail("database", f"PostgreSQL {version} is too old", remedy)]
    missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    if missing:
        shown = ", ".join(missing[:MANY_MIGRATIONS]) + (" and more" if len(missing) > MANY_MIGRATIONS else "")
        return [*found, fail("migrations", f"{len(missing)} not applied: {shown}", command=place.manage("migrate"))]
    return [*found, ok("migrations", "all applied")]


def check_clock(now: datetime) -> list[Finding]:
    """Returns how far this machine's clock is from the database's."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            row = cursor.fetchone()
    except Error:
        return [warn("clock", "not compared: the database does not answer")]
    return [judge_clock("clock", "the database", row[0], now)]


def judge_clock(name: str, other: str, told: datetime, now: datetime) -> Finding:
    """PURE: webhooks are proven by the time in them, ± 300 s, and follow-ups are due by ours."""
    skew_s = (now.astimezone(UTC) - told.astimezone(UTC)).total_seconds()
    words = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} {other}"
    if abs(skew_s) < SKEW_WARN_S:
        return ok(name, f"within {SKEW_WARN_S:g} s of {other}")
    level = fail if abs(skew_s) >= SKEW_FAIL_S else warn
    return level(name, f"this machine is {words}", "let it be set by NTP", "timedatectl set-ntp true")


def check_queue(place: Place) -> list[Finding]:
    """Returns whether SQS answers, whether the queue is as it must be, and what lies in the dead-letter queue."""
    try:
        queues = Queues()
        queue = queues.read()
    except QueueMissing as fault:
        return [fail("queue", str(fault).split(";")[0], command=place.manage("ensure_queues"))]
    except QueueFault as fault:
        return [_explain_queue(fault, place)]
    depth = _count(queue.attributes.get("ApproximateNumberOfMessages"))
    found = [ok("queue", f"{queues.name} answers, {depth} messages wait")]
    if depth > DEEP_QUEUE:
        found = [warn("queue", f"{depth} messages wait in {queues.name}", "start more workers")]
    if danger := find_danger(queue):
        found.append(fail("queue settings", danger.split(" Run:")[0], command=place.manage("ensure_queues")))
    elif differences := list_differences(queue):
        found.append(warn("queue settings", "; ".join(differences), command=place.manage("ensure_queues")))
    else:
        found.append(ok("queue settings", "visibility timeout, retention and redrive policy are as they should be"))
    return [*found, *_check_dead(queues)]


def _check_dead(queues: Queues) -> list[Finding]:
    try:
        waiting = _count(queues.read_dead().attributes.get("ApproximateNumberOfMessages"))
    except QueueFault:
        # Its absence is told by the redrive policy; a right to read it is not needed to run.
        return []
    if not waiting:
        return [ok("dead letters", "none")]
    words = f"{waiting} in {queues.dead_name}: workers were killed, or the database was away"
    return [warn("dead letters", words, "nothing to do: their work is in PostgreSQL, and they go after a day")]


def _explain_queue(fault: QueueFault, place: Place) -> Finding:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_SQS", "")
    if endpoint:
        remedy = f"start what answers at AWS_ENDPOINT_URL_SQS ({endpoint})"
        return fail("queue", str(fault), remedy, place.start("queue"))
    return fail("queue", str(fault), "check the AWS_… variables or the role, OFFLOAD_QUEUE_REGION and the network")


def check_processes(place: Place) -> list[Finding]:
    """Returns whether a beat leads and workers poll; each writes a sign of life every 10 s."""
    try:
        pulses = read_pulses()
    except Error as error:
        return [warn("beat", f"not known: {first_line(error)}"), warn("worker", "not known")]
    beats = [pulse for pulse in pulses if pulse.kind == Pulse.BEAT]
    workers = [pulse for pulse in pulses if pulse.kind == Pulse.WORKER and pulse.lives]
    if any(beat.lives for beat in beats):
        found = [ok("beat", f"leads, heard of {min(beat.age_s for beat in beats):.0f} s ago")]
    else:
        words = f"not heard of for {min(beat.age_s for beat in beats):.0f} s" if beats else "never heard of"
        found = [fail("beat", f"{words}: nothing is swept, no follow-up goes out", "start it", place.start("beat"))]
    if not workers:
        words = f"none was heard of within {LIVES_S:.0f} s: no case goes on"
        return [*found, fail("worker", words, "start one", place.start("worker"))]
    polled = [worker.poll_age_s for worker in workers if worker.poll_age_s is not None]
    if not polled or min(polled) > POLLED_WITHIN_S:
        words = f"{len(workers)} live, but the queue has answered none of them for {POLLED_WITHIN_S:.0f} s"
        return [*found, fail("worker", words, "mend the queue first; if it is in order", place.restart("worker"))]
    return [*found, ok("worker", f"{len(workers)} live, the queue answered {min(polled):.0f} s ago")]


def check_signing(place: Place) -> list[Finding]:
    """Returns a finding when clients' webhooks cannot be signed, and so wait; none when all is well."""
    try:
        unreadable = count_unreadable()
    except Error:
        return []
    if not unreadable:
        return []
    words = f"those of {unreadable} clients wait: their secrets were made with another OFFLOAD_SECRET_KEY"
    remedy = "add the key before to OFFLOAD_SECRET_KEY_FALLBACKS and restart web and worker, or for each client"
    return [fail("client webhooks", words, remedy, place.manage("webhook_settings --client NAME --rotate-secret"))]


def check_model() -> list[Finding]:
    """Returns which agent judges; asking it costs money and is for `offload.doctor.asking`."""
    if settings.OFFLOAD_MODEL == "offline":
        words = "offline: rules decide, without a model"
        if settings.OFFLOAD_MODE == "production":
            return [warn("model", words, "set OFFLOAD_MODEL (docs/agent.md), and restart the workers")]
        return [ok("model", words)]
    return [ok("model", f"{settings.OFFLOAD_MODEL} is set; doctor --call-model asks it")]


def first_line(error: BaseException) -> str:
    """Returns the first line of an error, at most 200 characters, or its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _count(told: str | None) -> int:
    return int(told) if told and told.isdecimal() else 0
