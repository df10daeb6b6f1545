"""Requests made out of the description, good and bad ones, against the real stack: the answers keep to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.stack import ROOT, Stack
from tests.live.test_first_case import ANSWER, W9

pytestmark = [pytest.mark.live, pytest.mark.long]

# `./dev test --full` asks for more.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
CONFIG = """
seed = 20261124
continue-on-failure = true
hooks = "tests.live.schemathesis_hooks"
warnings = false

[auth.openapi.apiKey]
api_key = "{key}"

[generation]
database = "none"
max-examples = {examples}

# Cases that get further than a random id.
[dictionaries.cases]
values = ["{completed}", "{waiting}"]
[dictionaries.attachments]
values = ["{attachment}"]
[parameters]
"path.caseId" = {{ dictionary = "cases", probability = 0.7 }}
"path.attachmentId" = {{ dictionary = "attachments", probability = 0.7 }}

[checks]
# What the description cannot say is refused too: SMS, a cursor nobody made, a key that was used, NUL in a text.
positive_data_acceptance.enabled = false

[[operations]]
include-operation-id = "getCase"
# By contract, includeTranscript is the literal `true` or nothing: whatever else it holds is ignored.
checks.negative_data_rejection.enabled = false
"""


@pytest.fixture(scope="module")
def unlimited_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: hundreds of cases would be in the way of the others, and limits in the way of this one."""
    running = Stack(tmp_path_factory.mktemp("stack"), OFFLOAD_RATE_LIMIT_PER_KEY="0", OFFLOAD_RATE_LIMIT_PER_IP="0")
    yield running
    assert running.stop() == 0


def test_every_answer_to_generated_requests_is_as_described(unlimited_stack: Stack, tmp_path: Path) -> None:
    stack = unlimited_stack
    completed, waiting = stack.open_case(), stack.open_case()
    stack.reply(stack.wait_for_mail(completed)["thread_id"], ANSWER, attachments=[W9])
    stack.reply(stack.wait_for_mail(waiting)["thread_id"], "Which of our two companies do you need it for?\n\nMaya")
    [attachment] = stack.wait_for_status(completed, "COMPLETED")["attachments"]
    stack.wait_for_status(waiting, "INPUT_NEEDED")
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        CONFIG.format(
            key=stack.description["api_key"],
            examples=EXAMPLES,
            completed=completed,
            waiting=waiting,
            attachment=attachment["attachmentId"],
        ),
        encoding="utf-8",
    )

    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={config}",
            "--no-color",
            "run",
            stack.description["api"].rstrip("/") + "/openapi.json",
        ],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "WEBHOOK_RECEIVER": stack.description["webhook_receiver"],
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Operations:       6 selected / 6 total" in ran.stdout
    assert "Traceback" not in stack.read_log()
