"""The provider's own SDK as an outside judge of the sandbox: it works against it unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.live.stack import ROOT, Stack

pytestmark = pytest.mark.live

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def sdk_python() -> Path:
    """The Python of an environment that holds the SDK: beside Offload it would shadow our own package."""
    home = ROOT / "var" / "test" / "sdk-venv"
    python = home / "bin" / "python"
    requirements = HERE / "sdk-requirements.txt"
    stamp = home / "installed.txt"
    if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(requirements)]
        subprocess.run(install, check=True, timeout=300)
        stamp.write_bytes(requirements.read_bytes())
    return python


def test_the_official_sdk_sends_repeats_replies_lists_and_reads(stack: Stack, sdk_python: Path) -> None:
    arguments = [
        f"{stack.description['sandbox'].rstrip('/')}/agentmail",
        stack.description["agentmail_api_key"],
        stack.read_setting("AGENTMAIL_INBOX_ID"),
        "sdk-user@northstar.example",
    ]

    ran = subprocess.run(
        [str(sdk_python), str(HERE / "sdk_script.py"), *arguments],
        # Not from the checkout, where our own package would be found first.
        cwd=sdk_python.parent,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "inbox": arguments[2],
        "is_one_mail": True,
        "conflict": 409,
        "is_one_thread": True,
        "listed": True,
        "thread": ["Hello", "And more"],
        "is_draft_sent": True,
        "secret": "whsec",
    }


def test_the_sdk_is_never_installed_beside_us() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import importlib.metadata as m; print([d.name for d in m.distributions()])"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "agentmail" not in json.loads(found.stdout.replace("'", '"'))
