"""The samples of docs/api/webhooks.md verify what a real delivery carried, and refuse everything else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.webhooks.deliveries import SUBSCRIBER, record
from tests.webhooks.endpoints import Received, say, serving
from webhooks.handlers import deliver
from webhooks.policies import change_policy, rotate_secret

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api" / "webhooks.md").read_text(encoding="utf-8")
# The only annotations that the sample has; Node.js 20 cannot strip types by itself.
TYPES = re.compile(r": (?:Record<string, string \| undefined>|Buffer|string|unknown)(?=[,) ])")

Run = Callable[[str, dict[str, str], bytes], "subprocess.CompletedProcess[str]"]


def read_sample(language: str, holds: str) -> str:
    """Returns the page's block of a language that holds these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    [sample] = [block for block in blocks if holds in block]
    return str(sample)


def run_python(secret: str, headers: dict[str, str], body: bytes) -> subprocess.CompletedProcess[str]:
    script = read_sample("python", "def verify(") + (
        "\nimport sys\n"
        "given = json.loads(sys.argv[1])\n"
        "print(verify(given['secret'], given['headers'], bytes.fromhex(given['body']))['event_id'])\n"
    )
    return run([sys.executable, "-I", "-c", script], secret, headers, body)


def run_typescript(secret: str, headers: dict[str, str], body: bytes) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is missing, and the TypeScript sample needs it; on Debian: apt-get install nodejs")
    script = TYPES.sub("", read_sample("ts", "function verify(")) + (
        "\nconst given = JSON.parse(process.argv[1]);\n"
        'console.log(verify(given.secret, given.headers, Buffer.from(given.body, "hex")).event_id);\n'
    )
    return run([node, "--input-type=module", "-e", script, "--"], secret, headers, body)


def run(command: list[str], secret: str, headers: dict[str, str], body: bytes) -> subprocess.CompletedProcess[str]:
    given = json.dumps({"secret": secret, "headers": headers, "body": body.hex()})
    return subprocess.run([*command, given], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(params=[run_python, run_typescript], ids=["python", "typescript"])
def verify(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


@pytest.fixture
def received(settings: Settings, transactional_db: None) -> tuple[str, str, Received]:
    """A delivery as it arrived while a secret was being replaced: the secret before, the present one, the request."""
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = True
    now = timezone.now()
    first = change_policy(SUBSCRIBER, signs=True, by="ana", now=now)
    assert first is not None
    second = rotate_secret(SUBSCRIBER, by="ana", now=now)
    with serving(say(200)) as endpoint:
        delivery = record(
            now,
            url=endpoint.url(),
            subscriber=SUBSCRIBER,
            body={"event_id": "evt_1", "data": {"name": "Zoë", "note": "a.b c"}},
        )
        deliver(delivery.id, now)
    return first.secret, second.secret, endpoint.requests[0]


def test_the_sample_believes_a_real_delivery_by_either_secret(verify: Run, received: tuple[str, str, Received]) -> None:
    first, second, request = received

    for secret in (first, second):
        ended = verify(secret, request.headers, request.body)
        assert (ended.stdout, ended.stderr) == ("evt_1\n", "")


def test_the_sample_refuses_whatever_was_changed(verify: Run, received: tuple[str, str, Received]) -> None:
    _, secret, request = received
    headers, body = request.headers, request.body
    sent_at = int(headers["webhook-timestamp"])
    without = {name: value for name, value in headers.items() if not name.startswith("webhook-")}
    changed: list[tuple[str, dict[str, str], bytes]] = [
        ("whsec_" + "A" * 43 + "=", headers, body),
        (secret, headers, body + b" "),
        (secret, headers | {"webhook-id": "evt_2"}, body),
        (secret, headers | {"webhook-timestamp": str(sent_at + 1)}, body),
        (secret, headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}, body),
        (secret, headers | {"webhook-signature": "v1, v1 nonsense v1,é"}, body),
        (secret, without, body),
    ]

    for case in changed:
        ended = verify(*case)
        assert (ended.stdout, ended.returncode) == ("", 1)
        assert "no signature fits" in ended.stderr or "webhook-timestamp is missing" in ended.stderr


@pytest.mark.parametrize("off", [timedelta(minutes=-6), timedelta(minutes=6)])
def test_the_sample_refuses_an_old_request_and_one_of_the_future(
    verify: Run, settings: Settings, transactional_db: None, off: timedelta
) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = True
    then = timezone.now() + off
    made = change_policy(SUBSCRIBER, signs=True, by="ana", now=then)
    assert made is not None
    with serving(say(200)) as endpoint:
        deliver(record(then, url=endpoint.url(), subscriber=SUBSCRIBER).id, then)

    ended = verify(made.secret, endpoint.requests[0].headers, endpoint.requests[0].body)

    assert (ended.stdout, ended.returncode) == ("", 1)
    assert "webhook-timestamp is missing, or too far from this clock" in ended.stderr
