"""What generators make of `/openapi.json`: the quick starts of docs/api/client-kits.md have right types and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.live.stack import ROOT, Stack, wait_for
from tests.live.test_first_case import ANSWER, W9

pytestmark = [pytest.mark.live, pytest.mark.long]

KIT = Path(__file__).resolve().parent / "kit"
PAGE = ROOT / "docs" / "api" / "client-kits.md"
QUESTION = "Hi Ana,\n\nwhich of our subsidiaries do you need the form for?\n\nMaya"
FETCHING_SECONDS = 600
SHOWN = ("python/quick_start.py", "typescript/quick_start.ts", "typescript/package.json", "typescript/tsconfig.json")
# What the generator's own code has to answer for stays out, and so do the settings of our own project around it.
CHECK_PYTHON = ["mypy", "--strict", "--follow-imports=silent", "--config-file=/dev/null", "quick_start.py"]


def run(*command: str | Path, cwd: Path, env: Mapping[str, str]) -> str:
    """Returns what the command printed, after proof that it succeeded."""
    done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def fetch(*command: str | Path, cwd: Path) -> None:
    """Runs a command that needs a registry of packages; skips the test when it fails."""
    try:
        subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=FETCHING_SECONDS, check=True)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed, and the client kit's generator comes by it.")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"The client kit's generator cannot be fetched from its registry: {error} {error.stderr!r}")


def prepare(language: str, stack: Stack) -> Path:
    """Returns a directory with the kit's files and the description of the running stack, as a reader has them."""
    home = ROOT / "var" / "test" / f"kit-{language}"
    shutil.copytree(KIT / language, home, dirs_exist_ok=True)
    with urlopen(stack.description["api"].rstrip("/") + "/openapi.json", timeout=30) as answer:
        (home / "openapi.json").write_bytes(answer.read())
    return home


def is_stale(home: Path, lock: str) -> bool:
    """Whether what was installed beside the kit is not what its lock file says."""
    stamp = home / "installed.txt"
    return not stamp.exists() or stamp.read_bytes() != (home / lock).read_bytes()


def play(command: list[str | Path], home: Path, env: Mapping[str, str], stack: Stack) -> dict[str, str]:
    """Runs a quick start while Maya asks and then answers; returns its lines by their first word."""
    output = home / "output.txt"
    settings = {**env, "OFFLOAD_URL": stack.description["api"].rstrip("/"), "OFFLOAD_KEY": stack.description["api_key"]}
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=home, env=settings, stdout=file, stderr=file)
    try:
        found = wait_for("a case to be handed over", lambda: re.search(r"handed over: (\S+)", output.read_text()))
        case_id = found[1]
        thread_id = stack.wait_for_mail(case_id)["thread_id"]
        stack.reply(thread_id, QUESTION)
        wait_for("the answer to Maya's question", lambda: stack.get_case(case_id)["status"] == "INPUT_NEEDED" or None)
        stack.wait_for_status(case_id, "RUNNING")
        stack.reply(thread_id, ANSWER, attachments=[W9])
        assert process.wait(60) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    return dict(line.split(": ", 1) for line in output.read_text().splitlines()) | {"case": case_id}


def check_story(told: dict[str, str]) -> None:
    assert told["handed over"] == told["case"]
    assert "subsidiaries" in told["asked"]
    assert told["ended"] == "COMPLETED goal_achieved"
    assert told["result"] == "Northstar LLC 12-3456789"
    assert re.fullmatch(r"w9\.pdf 15 http\S+", told["file"])
    assert told["listed"] == told["case"]
    assert told["cancelled"] == "FAILED"
    assert told["refused"] == "CASE_NOT_FOUND"


def test_a_generated_python_client_plays_the_quick_start(stack: Stack) -> None:
    home = prepare("python", stack)
    if is_stale(home, "requirements.txt"):
        venv.create(home / "venv", with_pip=True, clear=True)
        fetch("venv/bin/python", "-m", "pip", "install", "-q", "--require-hashes", "-r", "requirements.txt", cwd=home)
        shutil.copy(home / "requirements.txt", home / "installed.txt")
    env = {"PATH": f"{home / 'venv' / 'bin'}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    shutil.rmtree(home / "offload_client", ignore_errors=True)
    options = ["--config=config.yml", "--meta=none", "--output-path=offload_client"]

    written = run("openapi-python-client", "generate", "--path=openapi.json", *options, cwd=home, env=env)
    run(*CHECK_PYTHON, cwd=home, env=env)
    told = play(["venv/bin/python", "quick_start.py"], home, env, stack)

    # It warns of each part of a description that it leaves out.
    assert written.splitlines() == ["Generating offload_client"]
    check_story(told)


def test_a_generated_typescript_client_plays_the_quick_start(stack: Stack) -> None:
    home = prepare("typescript", stack)
    if is_stale(home, "package-lock.json"):
        fetch("npm", "ci", "--no-audit", "--no-fund", cwd=home)
        shutil.copy(home / "package-lock.json", home / "installed.txt")
    env = {"PATH": f"{home / 'node_modules' / '.bin'}:{os.environ['PATH']}"}

    run("openapi-typescript", "openapi.json", "--default-non-nullable=false", "-o", "offload.d.ts", cwd=home, env=env)
    run("tsc", cwd=home, env=env)
    told = play(["node", "built/quick_start.js"], home, env, stack)

    check_story(told)


@pytest.mark.parametrize(
    "name",
    ["python/quick_start.py", "typescript/quick_start.ts", "typescript/package.json", "typescript/tsconfig.json"],
)
def test_the_page_shows_the_file_that_runs(name: str) -> None:
    assert f"\n{(KIT / name).read_text(encoding='utf-8')}```\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["python", "typescript"])
def test_the_kit_is_locked(name: str) -> None:
    given = {"python": ("requirements.in", "requirements.txt"), "typescript": ("package.json", "package-lock.json")}
    asked, locked = (KIT / name / file for file in given[name])

    words = re.findall(r"^(\w[\w-]*)$", asked.read_text(), re.MULTILINE)
    words += re.findall(r'"([@\w/-]+)": "\d', asked.read_text())

    assert len(words) == 4
    for word in words:
        assert re.search(rf"(^{word}==|node_modules/{word}\")", locked.read_text(), re.MULTILINE), word
