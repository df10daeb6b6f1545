"""The sandbox as a process: what only a real socket, a signal or a restart can show."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests
from django.db import connection

from agentmail.sandbox.bootstrap import ensure_defaults
from agentmail.sandbox.models import Message
from tests.agentmail.sandbox.conftest import INBOX, SECRET, START, Receiver
from tests.agentmail.sandbox.process import AUTHORIZED, SandboxProcess, wait_until

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def process(django_db_setup: None, django_db_blocker: Any) -> Iterator[SandboxProcess]:
    """One process for all tests of this file that leave it running."""
    with django_db_blocker.unblock():
        process = SandboxProcess("http://127.0.0.1:9/hook")
    yield process
    process.close()


@pytest.fixture
def sandbox(transactional_db: None, process: SandboxProcess, receiver: Receiver) -> SandboxProcess:
    """The process with nothing in its tables but the defaults, its webhook leading to `receiver`."""
    ensure_defaults(inbox_id=INBOX, webhook_url=receiver.url, webhook_secret=SECRET, now=START)
    return process


@pytest.fixture
def own_sandbox(transactional_db: None, receiver: Receiver) -> Iterator[SandboxProcess]:
    """A process that the test may end."""
    process = SandboxProcess(receiver.url)
    yield process
    process.close()


def _post_raw(sandbox: SandboxProcess, key: str) -> bytes:
    body = json.dumps({"to": "maya@supplier.example", "subject": "W-9", "text": "a"}).encode()
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=10) as client:
        client.sendall(
            f"POST /sandbox/agentmail/v0/inboxes/{INBOX}/messages/send HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer am_test_key\r\nIdempotency-Key: {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        received = b""
        while chunk := client.recv(4096):
            received += chunk
        return received


def test_accept_then_drop_closes_without_a_byte_and_the_mail_is_out_once(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "faults", {"send": ["accept_then_drop"]})
    assert _post_raw(sandbox, "k") == b""
    message = Message.objects.get()
    assert sandbox.send("k").json() == {
        "message_id": message.message_id,
        "thread_id": str(message.thread.thread_id),
    }
    assert Message.objects.count() == 1


def test_drop_closes_without_a_byte_and_nothing_is_out(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "faults", {"send": ["drop"]})
    assert _post_raw(sandbox, "k") == b""
    assert Message.objects.count() == 0


def test_timeout_stays_silent_then_closes_and_nothing_is_out(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "faults", {"send": ["timeout", {"fault": "timeout", "seconds": 0.3}]})
    with pytest.raises(requests.ReadTimeout):
        sandbox.send("k", timeout=0.3)
    assert _post_raw(sandbox, "k") == b""
    assert Message.objects.count() == 0


def test_clients_that_hung_up_leave_no_thread_waiting(sandbox: SandboxProcess) -> None:
    # More silences than the server has threads, each a minute long.
    sandbox.control("POST", "faults", {"send": ["timeout"] * 20})

    def give_up(_: int) -> None:
        with pytest.raises(requests.ReadTimeout):
            sandbox.send(timeout=0.5)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(give_up, range(20)))
    assert sandbox.send().status_code == 200


def test_while_a_slow_send_runs_its_key_is_in_flight_and_then_answers_the_same(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "faults", {"send": [{"fault": "slow", "seconds": 1.5}]})
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(sandbox.send("k").json()))
    slow.start()
    wait_until(lambda: sandbox.control("GET", "outbox")["count"])
    early = sandbox.send("k")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    slow.join()
    assert sandbox.send("k").json() == answers[0]
    assert Message.objects.count() == 1


def test_two_sends_at_once_with_one_key_are_one_mail(sandbox: SandboxProcess) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.send("k"), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
    assert Message.objects.count() == 1


def test_simultaneous_calls_never_meet_the_same_fault(sandbox: SandboxProcess) -> None:
    sandbox.control("POST", "faults", {"send": ["503"] * 5})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.send().status_code, range(12)))
    assert sorted(answers) == [200] * 7 + [503] * 5


def test_an_id_with_a_slash_is_found_over_the_wire(sandbox: SandboxProcess) -> None:
    body = {"from": "m@x.example", "text": "a", "message_id": "<a/b+c=?d#e%41@mail.example>"}
    message_id = sandbox.control("POST", "inbound", body)["message_id"]
    url = f"{sandbox.url}/agentmail/v0/inboxes/{INBOX}/messages/{quote(message_id, safe='')}"
    answer = requests.get(url, headers=AUTHORIZED, timeout=10)
    assert (answer.status_code, answer.json()["message_id"]) == (200, message_id)


def test_a_login_elsewhere_on_this_host_does_not_void_an_open_page(sandbox: SandboxProcess) -> None:
    thread_id = sandbox.send().json()["thread_id"]
    browser = requests.Session()
    page = browser.get(f"{sandbox.url}/threads/{thread_id}/", timeout=10).text
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    # What the web process sets on the same host when somebody logs in.
    browser.cookies.set("csrftoken", "a" * 32, domain="127.0.0.1")
    form = {"text": "Yes", "csrfmiddlewaretoken": token}
    answer = browser.post(f"{sandbox.url}/threads/{thread_id}/reply", form, timeout=10, allow_redirects=False)
    assert answer.status_code == 303


def test_events_are_delivered_even_after_the_database_has_cut_every_connection(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    sandbox.send()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] > 0
    body = {"from": "m@x.example", "text": "after the cut"}
    assert sandbox.control("POST", "inbound", body)["message_id"]
    event = receiver.wait_for("message.received")
    assert event["message"]["text"] == "after the cut"


def test_a_kill_loses_no_delivery_and_the_next_process_keeps_its_id(
    own_sandbox: SandboxProcess, receiver: Receiver
) -> None:
    receiver.statuses = [503] * 1000
    own_sandbox.control("POST", "inbound", {"from": "m@x.example", "text": "a"})
    receiver.wait_for("message.received")
    own_sandbox.kill()
    refused = len(receiver.requests)
    receiver.statuses = []
    successor = SandboxProcess(receiver.url, own_sandbox.port)
    try:
        receiver.wait_for("message.received", after=refused)
        assert len({headers["svix-id"] for headers, _ in receiver.requests}) == 1
        assert Message.objects.count() == 1
    finally:
        successor.close()


def test_it_stops_within_two_seconds_though_a_call_is_silent(own_sandbox: SandboxProcess) -> None:
    own_sandbox.control("POST", "faults", {"send": ["timeout"]})
    ended = threading.Event()

    def wait_in_vain() -> None:
        with pytest.raises(requests.ConnectionError):
            own_sandbox.send(timeout=60)
        ended.set()

    threading.Thread(target=wait_in_vain).start()
    wait_until(lambda: not own_sandbox.control("GET", "faults")["send"])
    # One second of grace, and room for a busy machine.
    assert own_sandbox.stop(timeout=3) == 0
    assert ended.wait(5)
