"""`manage.py listen`, as a process of its own, with real deliveries sent to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from webhooks.outcomes import Answered
from webhooks.signing import derive_secret, sign
from webhooks.transport import post

ROOT = Path(__file__).resolve().parents[2]
SECRET = derive_secret("key", b"s" * 32)
OTHER = derive_secret("key", b"t" * 32)
BODY = b'{"event_id":"evt_1","event_type":"case.completed","data":{"name":"Zo\\u00eb \\u009b31m"}}'

Listen = Callable[..., tuple[str, "subprocess.Popen[str]"]]


@pytest.fixture
def listen() -> Iterator[Listen]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[str, subprocess.Popen[str]]:
        """Returns the URL that it prints, and the process."""
        # Nothing listens there: the command must not need a database.
        env = os.environ | {"DATABASE_URL": "postgres://offload@127.0.0.1:9/nothing", "PYTHONIOENCODING": "utf-8"}
        process = subprocess.Popen(
            [sys.executable, "manage.py", "listen", "--port", "0", *arguments],
            cwd=ROOT,
            env=env | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stdout.read()
        return found[0], process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def send(url: str, *secrets: str, body: bytes = BODY) -> int:
    headers = sign(secrets, event_id="evt_1", moment=datetime.now(UTC), body=body) if secrets else {}
    answer = post(f"{url}hook", body, headers, allow_private=True)
    assert isinstance(answer, Answered)
    return answer.status


def end(process: subprocess.Popen[str]) -> str:
    """Ends it as Ctrl-C does; returns what it printed."""
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return printed


def test_a_good_signature_is_said_to_be_good_and_a_bad_one_why_it_is_bad(listen: Listen) -> None:
    url, process = listen("--secret", SECRET)

    statuses = [send(url, SECRET), send(url, OTHER, SECRET), send(url, OTHER), send(url)]

    assert statuses == [200, 200, 401, 401]
    printed = end(process)
    assert printed.count("signature good") == 2
    assert "SIGNATURE REFUSED: No signature fits: another secret signed it, or the body was changed" in printed
    assert "SIGNATURE REFUSED: It is not signed: signing is off for this client." in printed
    assert "webhook-id: evt_1" in printed
    assert '"event_type": "case.completed"' in printed
    assert "attempt 4 to arrive here" in printed


def test_what_a_terminal_would_obey_is_not_printed(listen: Listen) -> None:
    url, process = listen()

    send(url, body=BODY)
    send(url, body=b"\x1b[31mred \xff")

    printed = end(process)
    assert "\x1b" not in printed
    assert "\x9b" not in printed
    assert "Zoë" in printed
    assert "signature not checked" in printed


def test_it_answers_what_it_was_told_to_answer(listen: Listen) -> None:
    url, process = listen("--answer", "503", "--retry-after", "120")

    answer = post(url, BODY, {}, allow_private=True)

    assert isinstance(answer, Answered)
    assert (answer.status, answer.retry_after) == (503, "120")
    assert "answered 503" in end(process)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--answer", "99"), "--answer must be a status from 200 to 599."),
        (("--port", "70000"), "--port must be from 0 to 65535."),
        (("--secret", "nonsense"), "--secret must begin with whsec_"),
        (("--retry-after", "-1"), "--retry-after must be 0 seconds or more."),
        (("--host", "192.0.2.1"), "choose another --port."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_mistake_gets_a_sentence_and_no_stack_trace(arguments: tuple[str, ...], sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "listen", *arguments],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
