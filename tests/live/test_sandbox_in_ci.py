"""docs/sandbox-in-ci.md: its script runs its test, and gives back the exit code of what it ran."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs_reader import read_examples
from tests.live.stack import OWN, ROOT

pytestmark = [pytest.mark.live, pytest.mark.long]

SCRIPT = ROOT / "docs" / "ci" / "with-offload"
PAGE = ROOT / "docs" / "sandbox-in-ci.md"
FAILS_AS_A_TEST_DOES = 7


def run_with_offload(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return subprocess.run(
        [str(SCRIPT), *command], cwd=directory, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_page_s_test_passes_and_the_command_s_exit_code_comes_back(tmp_path: Path) -> None:
    [example] = [example for example in read_examples(PAGE.read_text(encoding="utf-8")) if example.language == "python"]
    (tmp_path / "test_w9.py").write_text(example.script, encoding="utf-8")
    (tmp_path / "both.sh").write_text(
        f'{sys.executable} test_w9.py || exit 1\necho "$OFFLOAD_URL"\nexit {FAILS_AS_A_TEST_DOES}\n', encoding="utf-8"
    )

    done = run_with_offload(tmp_path, "sh", "both.sh")

    assert done.returncode == FAILS_AS_A_TEST_DOES, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")
    assert "Ctrl-C" in (tmp_path / "with-offload.log").read_text(encoding="utf-8")


def test_without_a_command_the_script_says_how_it_is_used(tmp_path: Path) -> None:
    done = run_with_offload(tmp_path)

    assert (done.returncode, done.stderr) == (2, "usage: with-offload COMMAND [ARGUMENT ...]\n")
