"""The doctor: each fault is one line with what mends it, and nothing that is down hides the rest or shows a trace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from agentmail.connecting import Look
from agentmail.subscription import EVENT_TYPES, Account, AccountFault, FaultKind, Known, Wanted, Webhook
from offload.doctor import configuration, services
from offload.doctor.examination import examine
from offload.doctor.findings import Finding, Level, explain_settings, fail, ok, warn
from offload.doctor.mail import judge_mail
from offload.doctor.places import Place, find_place
from offload.models import Pulse
from offload.pulses import Heard, WorkerPulse, read_pulses, tell
from tests.offload.sqs_endpoint import SqsEndpoint
from webhooks.policies import change_policy, rotate_secret

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
MACHINE, CONTAINER, PLAIN = Place("systemd"), Place("container"), Place("plain")
URL = "https://offload.example.com/agentmail/webhook"
WANTED = Wanted("acme@agentmail.to", URL, "main")
GOOD = Webhook("ep_1", URL, "whsec_YQ==", is_enabled=True, event_types=EVENT_TYPES, inbox_ids=())
PRODUCTION = {
    "OFFLOAD_MODE": "production",
    "OFFLOAD_PUBLIC_URL": "https://offload.example.com",
    "ALLOWED_HOSTS": ["offload.example.com"],
    "CSRF_TRUSTED_ORIGINS": ["https://offload.example.com"],
    "OFFLOAD_METRICS_TOKEN": "a-token-for-prometheus",
}


def levels(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.name) for finding in findings]


def hear_one() -> Heard | None:
    """A process's row as soon as it is there: it is written by a thread of its own."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if heard := read_pulses():
            return heard[0]
        time.sleep(0.02)
    return None


# -- What is shown


def test_a_line_says_what_was_found_and_what_mends_it() -> None:
    found = fail("beat", "never heard of", "start it", "systemctl start offload-beat")

    assert found.to_line() == "FAIL  beat              never heard of  →  start it: systemctl start offload-beat"
    assert ok("queue", "it answers").to_line() == "ok    queue             it answers"
    assert warn("queue", "it is deep", command="x").to_line() == "warn  queue             it is deep  →  x"


def test_every_fault_of_the_settings_is_a_finding_of_its_own() -> None:
    found = explain_settings("the settings are not safe to run with:\n  - A is not set.\n  - B is on.")

    assert [(each.level, each.found) for each in found] == [(Level.FAIL, "A is not set."), (Level.FAIL, "B is on.")]


# -- All checks together


def test_a_check_that_breaks_hides_no_other_one() -> None:
    def breaks() -> list[Finding]:
        raise RuntimeError("of all things")

    found = examine({"first": breaks, "second": lambda: [ok("second", "fine")]}, patience_s=5)

    assert levels(found) == [("FAIL", "first"), ("ok", "second")]
    assert found[0].found == "the check itself failed: RuntimeError: of all things"


def test_a_check_that_hangs_is_left_behind() -> None:
    over = threading.Event()

    def hangs() -> list[Finding]:
        over.wait(30)
        return []

    found = examine({"first": hangs, "second": lambda: [ok("second", "fine")]}, patience_s=0.2)
    over.set()

    assert levels(found) == [("FAIL", "first"), ("ok", "second")]
    assert found[0].found == "no answer within 0.2 s"


# -- Settings


def check_settings(**changes: object) -> list[Finding]:
    return configuration.check_settings(SimpleNamespace(**(PRODUCTION | changes)))  # type: ignore[arg-type]


def test_settings_that_are_complete_and_safe_are_one_line() -> None:
    assert levels(check_settings()) == [("ok", "settings")]


@pytest.mark.parametrize(
    ("changes", "level", "names"),
    [
        ({"ALLOWED_HOSTS": ["localhost"]}, "FAIL", "add offload.example.com to OFFLOAD_ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ["*"]}, "warn", "set it to the names that clients use"),
        ({"CSRF_TRUSTED_ORIGINS": []}, "warn", "OFFLOAD_CSRF_TRUSTED_ORIGINS"),
        ({"OFFLOAD_PUBLIC_URL": ""}, "warn", "set it to this installation's address"),
        ({"OFFLOAD_PUBLIC_URL": "http://offload.example.com"}, "warn", "OFFLOAD_PUBLIC_URL"),
        ({"OFFLOAD_METRICS_TOKEN": ""}, "warn", "16 random characters"),
        ({"OFFLOAD_MODE": "local"}, "warn", "unset OFFLOAD_MODE"),
    ],
)
def test_a_setting_that_is_not_right_for_production_is_told_with_its_remedy(
    changes: dict[str, object], level: str, names: str
) -> None:
    [found] = check_settings(**changes)

    assert (found.level.value, found.name) == (level, "settings")
    assert names in found.remedy


def test_private_addresses_for_client_webhooks_are_told() -> None:
    allowed = configuration.check_webhooks(SimpleNamespace(OFFLOAD_WEBHOOK_ALLOW_PRIVATE=True))  # type: ignore[arg-type]
    refused = configuration.check_webhooks(SimpleNamespace(OFFLOAD_WEBHOOK_ALLOW_PRIVATE=False))  # type: ignore[arg-type]

    assert levels(allowed + refused) == [("warn", "client webhooks"), ("ok", "client webhooks")]


# -- The clock


@pytest.mark.django_db
def test_secrets_that_another_key_made_are_told_with_the_command_and_without_a_secret(settings: Any) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = change_policy(UUID(int=1), signs=True, by="ana", now=now)
    rotate_secret(UUID(int=2), by="ana", now=now)
    assert services.check_signing(Place("plain")) == []

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key", []
    (found,) = services.check_signing(Place("plain"))

    assert made is not None
    assert (found.level, found.found[:24]) == (Level.FAIL, "those of 1 clients wait:")
    assert found.command == "python manage.py webhook_settings --client NAME --rotate-secret"
    assert made.secret not in found.to_line()


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (0, "ok", "within 5 s of the database"),
        (4.9, "ok", "within 5 s of the database"),
        (5, "warn", "this machine is 5.0 s ahead of the database"),
        (-59, "warn", "this machine is 59.0 s behind the database"),
        (60, "FAIL", "this machine is 60.0 s ahead of the database"),
        (-3600, "FAIL", "this machine is 3600.0 s behind the database"),
    ],
)
def test_a_clock_that_is_off_is_told(seconds: float, level: str, words: str) -> None:
    found = services.judge_clock("clock", "the database", NOW, NOW + timedelta(seconds=seconds))

    assert (found.level.value, found.found) == (level, words)


@pytest.mark.django_db
def test_the_clock_is_compared_with_the_database_s() -> None:
    assert levels(services.check_clock(datetime.now(UTC))) == [("ok", "clock")]
    assert levels(services.check_clock(datetime.now(UTC) - timedelta(minutes=2))) == [("FAIL", "clock")]


# -- Database, queue, processes


@pytest.mark.django_db
def test_a_database_with_every_migration_is_in_order() -> None:
    assert levels(services.check_database(PLAIN)) == [("ok", "database"), ("ok", "migrations")]


@pytest.mark.django_db
def test_a_migration_that_is_missing_is_named_with_the_command() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'offload' AND name = '0001_pulse'")

    missing = services.check_database(MACHINE)[1]

    assert missing.to_line() == ("FAIL  migrations        1 not applied: offload.0001_pulse  →  offload migrate")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsEndpoint]:
    started = SqsEndpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", started.url)
    yield started
    started.stop()


def test_a_queue_that_is_down_is_told_with_the_endpoint_and_the_command(
    endpoint: SqsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.stop()

    for place, command in ((MACHINE, "systemctl start offload-queue"), (CONTAINER, "docker compose up -d queue")):
        [found] = services.check_queue(place)
        assert (found.level, found.name, found.command) == (Level.FAIL, "queue", command)
        assert endpoint.url in found.remedy

    endpoint.start()


@pytest.mark.django_db
def test_a_beat_and_a_worker_that_were_heard_of_are_in_order() -> None:
    tell("beat", Pulse.BEAT)
    tell("worker a:1", Pulse.WORKER, 2.0)

    assert levels(services.check_processes(PLAIN)) == [("ok", "beat"), ("ok", "worker")]


@pytest.mark.django_db
def test_a_beat_and_workers_that_are_silent_are_told_with_what_starts_them() -> None:
    tell("beat", Pulse.BEAT)
    tell("worker a:1", Pulse.WORKER, 2.0)
    Pulse.objects.update(beaten_at=datetime.now(UTC) - timedelta(seconds=90))

    beat, worker = services.check_processes(PLAIN)

    assert (beat.level, beat.command) == (Level.FAIL, "celery -A offload beat --pidfile=")
    assert beat.found == "not heard of for 90 s: nothing is swept, no follow-up goes out"
    assert (worker.level, worker.command[:26]) == (Level.FAIL, "celery -A offload worker -")


@pytest.mark.django_db
def test_a_worker_that_lives_and_whose_queue_is_silent_is_told() -> None:
    tell("beat", Pulse.BEAT)
    tell("worker a:1", Pulse.WORKER, 61.0)

    worker = services.check_processes(MACHINE)[1]

    assert (worker.level, worker.command) == (Level.FAIL, "systemctl restart offload-worker")


# -- The account at AgentMail


def look(
    *,
    inbox: AccountFault | None = None,
    webhooks: tuple[Webhook, ...] | AccountFault = (GOOD,),
    wanted: Wanted = WANTED,
    accepted: frozenset[str] = frozenset({GOOD.secret}),
) -> Look:
    return Look(Account(inbox, webhooks, NOW), wanted, Known("ep_1", URL, GOOD.secret, 1), accepted)


def change(**members: Any) -> tuple[Webhook, ...]:
    return (Webhook(**({name: getattr(GOOD, name) for name in GOOD.__slots__} | members)),)


def test_an_account_that_is_in_order_has_nothing_to_mend() -> None:
    found = judge_mail(look(), MACHINE, NOW)

    assert levels(found) == [("ok", "mail key"), ("ok", "mail inbox"), ("ok", "mail webhook"), ("ok", "mail clock")]


REFUSED = AccountFault(FaultKind.KEY, "401 unknown_api_key")
SILENT = AccountFault(FaultKind.NO_ANSWER, "no connection: refused")


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"inbox": REFUSED, "webhooks": REFUSED}, "mail key", "AgentMail refuses the key (401 unknown_api_key)"),
        ({"inbox": AccountFault(FaultKind.MISSING, "404")}, "mail inbox", "there is no inbox acme@agentmail.to"),
        ({"webhooks": ()}, "mail webhook", f"no webhook leads to {URL}"),
        ({"webhooks": change(url="https://old.example.com/")}, "mail webhook", f"no webhook leads to {URL}"),
        ({"webhooks": change(is_enabled=False)}, "mail webhook", "the webhook ep_1 does not work: it is disabled"),
        ({"webhooks": change(event_types=EVENT_TYPES[1:])}, "mail webhook", "it does not report message.received"),
        ({"webhooks": change(inbox_ids=("x@y.z",))}, "mail webhook", "it does not report the inbox acme@"),
        ({"accepted": frozenset()}, "mail webhook", "its secret is not known here"),
    ],
)
def test_a_fault_of_the_account_is_told_with_the_command_that_mends_it(
    changes: dict[str, Any], name: str, words: str
) -> None:
    [found] = [each for each in judge_mail(look(**changes), MACHINE, NOW) if each.level is Level.FAIL]

    assert found.name == name
    assert words in found.found
    assert found.command == "offload connect_agentmail"


def test_a_provider_that_is_silent_says_nothing_about_inbox_and_webhook() -> None:
    found = judge_mail(look(inbox=SILENT, webhooks=SILENT), PLAIN, NOW)[:3]

    assert levels(found) == [("FAIL", "mail key"), ("warn", "mail inbox"), ("warn", "mail webhook")]
    assert found[0].remedy == "check AGENTMAIL_BASE_URL and the network"


def test_no_key_and_no_secret_is_ever_shown() -> None:
    everything = judge_mail(look(accepted=frozenset()), PLAIN, NOW) + judge_mail(look(), PLAIN, NOW)

    assert "whsec_" not in "".join(finding.to_line() for finding in everything)


# -- The command


def run_doctor(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_settings_that_are_missing_are_findings_and_no_stack_trace() -> None:
    done = run_doctor("--json", OFFLOAD_MODE="production")

    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], done.stderr) == (1, False, "")
    names = [finding["found"].split()[0] for finding in document["findings"]]
    assert names == ["OFFLOAD_SECRET_KEY", "AGENTMAIL_API_KEY", "AGENTMAIL_INBOX_ID", "DATABASE_URL"]


def test_with_everything_silent_every_check_is_told_within_a_minute_and_without_a_stack_trace(black_hole: str) -> None:
    started = time.monotonic()

    done = run_doctor(
        OFFLOAD_MODE="production",
        OFFLOAD_SECRET_KEY="abcdefghij" * 6,
        DATABASE_URL=f"postgres://offload:pw@{black_hole}/offload",
        AGENTMAIL_API_KEY="am_key_that_stays_secret",
        AGENTMAIL_INBOX_ID="acme@agentmail.to",
        AGENTMAIL_BASE_URL=f"http://{black_hole}/v0",
        AWS_ENDPOINT_URL_SQS=f"http://{black_hole}",
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
    )

    assert time.monotonic() - started < 60
    assert (done.returncode, done.stderr) == (1, "")
    lines = dict(
        line.split(None, 2)[1::-1] for line in done.stdout.splitlines() if line[:4] in ("ok  ", "warn", "FAIL")
    )
    assert lines["database"] == lines["queue"] == "FAIL"
    assert "Traceback" not in done.stdout
    assert "stays_secret" not in done.stdout


def test_a_model_that_cannot_be_reached_is_told_when_it_is_asked() -> None:
    done = run_doctor(
        "--json",
        "--call-model",
        OFFLOAD_MODE="local",
        OFFLOAD_SECRET_KEY="only-for-tests",
        OFFLOAD_MODEL="openai-chat:gpt-5",
        OFFLOAD_MODEL_API_KEY="sk-that-stays-secret",
        OFFLOAD_MODEL_BASE_URL="http://127.0.0.1:9/v1",
        DATABASE_URL="postgres://offload:pw@127.0.0.1:9/offload",
        AGENTMAIL_BASE_URL="http://127.0.0.1:9/v0",
        AWS_ENDPOINT_URL_SQS="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
    )

    [model] = [finding for finding in json.loads(done.stdout)["findings"] if finding["name"] == "model"]
    assert (done.returncode, model["level"]) == (1, "FAIL")
    assert model["found"].startswith("openai-chat:gpt-5 did not answer")
    assert "stays-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_has_just_started_is_not_blamed_for_a_queue_that_has_not_answered_yet() -> None:
    pulse = WorkerPulse(None)
    pulse.start(None)

    heard = hear_one()
    found = services.check_processes(PLAIN)[-1]

    pulse.stop(None)
    assert heard is not None
    assert heard.kind == Pulse.WORKER
    assert heard.poll_age_s == pytest.approx(0, abs=5)
    assert found.level.value == "ok"
    assert read_pulses() == []


def test_on_ones_own_machine_every_process_is_started_by_dev() -> None:
    place = find_place("local")

    assert [place.start("worker"), place.restart("web", "worker"), place.manage("migrate")] == [
        "./dev up",
        "./dev up",
        "python manage.py migrate",
    ]
