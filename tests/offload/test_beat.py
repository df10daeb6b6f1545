"""One beat of several ticks; it outlives the database, the queue and another beat's death, and loses no turn."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from offload.beat import LOCK_ID, LeaderLock, LeaderScheduler
from offload.celery import OffloadCelery
from tests.offload.conftest import QUEUE
from tests.offload.processes import Beat
from tests.offload.sqs_endpoint import Message, SqsEndpoint

CUT_EVERY_OTHER_SESSION = """
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def queue(cleanup: ExitStack) -> SqsEndpoint:
    endpoint = SqsEndpoint()
    cleanup.callback(endpoint.stop)
    return endpoint


def start_beat(queue: SqsEndpoint, cleanup: ExitStack) -> Beat:
    beat = Beat(queue.url, connection.settings_dict)
    cleanup.callback(beat.kill)
    return beat


def wait_until_nobody_leads() -> None:
    """Returns once PostgreSQL has noticed that the last leader's session is closed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_ID])
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_ID])


def sender_of(message: Message) -> int:
    """Returns the id of the process that sent it."""
    origin: str = json.loads(base64.b64decode(message.body))["headers"]["origin"]
    return int(origin.removeprefix("gen").split("@")[0])


def task_of(message: Message) -> str:
    return str(json.loads(base64.b64decode(message.body))["headers"]["task"])


@pytest.mark.django_db(transaction=True)
def test_of_two_beats_one_ticks_and_the_other_takes_over_when_it_is_killed(
    queue: SqsEndpoint, cleanup: ExitStack
) -> None:
    leader = start_beat(queue, cleanup)
    leader.wait_for_line("This beat leads.")
    follower = start_beat(queue, cleanup)
    follower.wait_for_line("This beat waits until it can lead.")
    queue.behave()
    queue.wait_for_calls("SendMessage", 2)
    assert {sender_of(message) for message in queue.queues[QUEUE]} == {leader.pid}

    leader.kill()
    follower.wait_for_line("This beat leads.", timeout=5)
    sent_before = len(queue.queues[QUEUE])
    queue.behave()
    queue.wait_for_calls("SendMessage", 1, timeout=5)

    assert {sender_of(message) for message in queue.queues[QUEUE][sent_before:]} == {follower.pid}
    assert sorted(PeriodicTask.objects.values_list("name", flat=True)) == ["hourly", "often"]


@pytest.mark.django_db(transaction=True)
def test_a_beat_goes_on_after_the_database_cut_all_its_sessions(queue: SqsEndpoint, cleanup: ExitStack) -> None:
    beat = start_beat(queue, cleanup)
    beat.wait_for_line("This beat leads.")
    with connection.cursor() as cursor:
        cursor.execute(CUT_EVERY_OTHER_SESSION)
        assert cursor.fetchone() == (2,)

    beat.wait_for_line("This beat leads.", times=2)
    queue.behave()
    queue.wait_for_calls("SendMessage", 2)

    assert beat.is_alive
    assert "Traceback" not in beat.log


@pytest.mark.django_db(transaction=True)
def test_an_hourly_task_that_the_queue_did_not_take_is_sent_when_the_queue_is_back(
    queue: SqsEndpoint, cleanup: ExitStack
) -> None:
    hourly = IntervalSchedule.objects.create(every=3600, period=IntervalSchedule.SECONDS)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    PeriodicTask.objects.create(name="hourly", task="beat_app.hourly", interval=hourly, last_run_at=long_ago)
    queue.stop()
    beat = start_beat(queue, cleanup)
    beat.wait_for_line("Couldn't apply scheduled task hourly")

    queue.start()

    queue.wait_for_calls("SendMessage", 3)
    assert [task_of(message) for message in queue.queues[QUEUE]].count("beat_app.hourly") == 1
    assert beat.is_alive
    assert "Traceback" not in beat.log


@pytest.mark.django_db(transaction=True)
def test_a_lock_has_one_holder_until_it_is_released_or_its_session_is_lost() -> None:
    wait_until_nobody_leads()
    parameters = connection.get_connection_params()
    first, second = LeaderLock(parameters), LeaderLock(parameters)
    assert [first.hold(), second.hold(), first.hold()] == [True, False, True]

    first.release()
    first.release()
    wait_until_nobody_leads()
    assert second.hold()
    assert not first.hold()

    with connection.cursor() as cursor:
        cursor.execute(CUT_EVERY_OTHER_SESSION)
    assert not second.hold()
    assert second.hold()
    second.release()
    first.release()


def test_a_lock_on_a_database_that_is_not_there_is_not_held() -> None:
    # Port 9 refuses.
    assert not LeaderLock(psycopg.conninfo.conninfo_to_dict("host=127.0.0.1 port=9 dbname=offload")).hold()


@pytest.mark.django_db(transaction=True)
def test_the_schedule_of_the_settings_is_written_once_and_what_the_admin_edited_stays(cleanup: ExitStack) -> None:
    wait_until_nobody_leads()
    app = OffloadCelery("seeding", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = settings.CELERY_BEAT_SCHEDULE
    first = LeaderScheduler(app)
    cleanup.callback(first.close)
    assert PeriodicTask.objects.count() == 0
    first.tick()
    first.close()
    wait_until_nobody_leads()
    rarely = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.filter(name="sweep follow-ups").update(interval=rarely, enabled=False)

    second = LeaderScheduler(app)
    cleanup.callback(second.close)
    second.tick()

    rows = PeriodicTask.objects.values_list("name", "task", "interval__every", "enabled", "expire_seconds")
    assert sorted(rows) == [
        ("check mail account", "cases.check_mail_account", 60, True, 60),
        ("clear what is over", "offload.clear_what_is_over", 3600, True, 3600),
        ("forget old requests", "cases.forget_old_requests", 3600, True, 3600),
        ("give up old events", "cases.give_up_old_events", 3600, True, 3600),
        ("match waiting mail", "cases.match_waiting_mail", 60, True, 60),
        ("reconcile mail", "cases.reconcile_mail", 600, True, 600),
        ("sweep deliveries", "webhooks.sweep_deliveries", 10, True, 10),
        ("sweep events", "cases.sweep_events", 10, True, 10),
        ("sweep follow-ups", "cases.sweep_follow_ups", 2, False, 3600),
    ]
