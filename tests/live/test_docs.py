"""Every example of docs/api/ and of the first pages is pasted into a shell, in the page's order, on the real stack."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs_reader import (
    Comparison,
    Example,
    list_calls_outside_examples,
    parse_shown,
    read_examples,
    read_message,
)
from tests.live.stack import ROOT, Stack
from tests.live.test_first_case import ANSWER, W9

pytestmark = pytest.mark.live

FIRST = ("README.md", "docs/start.md", "docs/sandbox.md")
PAGES = [*(ROOT / name for name in FIRST), *sorted((ROOT / "docs" / "api").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SECONDS_A_PAGE = 120
QUESTION = "Hi Ana,\n\nwhich of our subsidiaries do you need the form for?\n\nMaya"
# Told on stderr, so that an example's own output stays what its reader would see.
CURLRC = 'write-out = "%{stderr}answered %{http_code}\\n"\nmax-time = 30\n'


def open_running(stack: Stack) -> dict[str, str]:
    case_id = stack.open_case(clientReferenceId="vendor-1042", metadata={"row": 7})
    stack.wait_for_status(case_id, "RUNNING")
    return {"CASE_ID": case_id}


def open_asking(stack: Stack) -> dict[str, str]:
    case_id = stack.open_case()
    thread_id = stack.wait_for_mail(case_id)["thread_id"]
    stack.reply(thread_id, QUESTION)
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")
    return {"CASE_ID": case_id, "INPUT_REQUEST_ID": asked["inputRequest"]["id"]}


def open_two(stack: Stack) -> dict[str, str]:
    """The thread of one running case to answer in, and another case that lives on."""
    answered = stack.open_case()
    thread_id = stack.wait_for_mail(answered)["thread_id"]
    return {**open_running(stack), "THREAD_ID": thread_id}


def open_three(stack: Stack) -> dict[str, str]:
    for _ in range(3):
        given = open_running(stack)
    return given


def open_told(stack: Stack) -> dict[str, str]:
    """Brings a case through a question and an answer to its end, with a webhook of each."""
    case_id = stack.open_case(clientReferenceId="vendor-1042", metadata={"row": 7})
    thread_id = stack.wait_for_mail(case_id)["thread_id"]
    stack.reply(thread_id, QUESTION)
    asked = stack.wait_for_status(case_id, "INPUT_NEEDED")
    body = {"inputRequestId": asked["inputRequest"]["id"], "providedContext": "For Northstar Logistics LLC."}
    stack.call("POST", f"/cases/{case_id}/input", body)
    stack.wait_for_status(case_id, "RUNNING")
    stack.reply(thread_id, ANSWER, attachments=[W9])
    stack.wait_for_notices(case_id, 2)
    return {"CASE_ID": case_id}


def open_completed(stack: Stack) -> dict[str, str]:
    case_id = stack.open_case()
    stack.reply(stack.wait_for_mail(case_id)["thread_id"], ANSWER, attachments=[W9])
    [attachment] = stack.wait_for_status(case_id, "COMPLETED")["attachments"]
    return {"CASE_ID": case_id, "ATTACHMENT_ID": urllib.parse.quote(attachment["attachmentId"], safe="")}


# What a page says that its reader has at hand when it begins.
BEFORE: dict[str, Callable[[Stack], dict[str, str]]] = {
    "docs/sandbox.md": open_two,
    "docs/api/cancel-a-case.md": open_running,
    "docs/api/get-a-case.md": open_running,
    "docs/api/get-an-attachment.md": open_completed,
    "docs/api/provide-input.md": open_asking,
    "docs/api/list-cases.md": open_three,
    "docs/api/webhooks.md": open_told,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_the_page_answers_as_it_shows(stack: Stack, tmp_path: Path, name: str) -> None:
    assert shutil.which("curl"), "curl is missing, and the pages' examples need it; on Debian: apt-get install curl"
    examples = read_examples((ROOT / name).read_text(encoding="utf-8"))
    given = BEFORE[name](stack) if name in BEFORE else {}

    paste(examples, stack, tmp_path, given)

    comparison = Comparison()
    faults = [
        f"{name}:{example.line}: {fault}"
        for number, example in enumerate(examples)
        for fault in find_faults(example, tmp_path / str(number), comparison)
    ]
    assert faults == []


@pytest.mark.parametrize("name", NAMES)
def test_no_call_of_the_page_goes_untested(name: str) -> None:
    assert list_calls_outside_examples((ROOT / name).read_text(encoding="utf-8")) == []


def test_the_loop_of_the_polling_guide_finds_each_change_once(stack: Stack, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api" / "guide-polling.md").read_text(encoding="utf-8")
    loop = next(example for example in read_examples(page) if example.language == "python")
    case_id = open_completed(stack)["CASE_ID"]
    asking_id = open_asking(stack)["CASE_ID"]

    paste([loop], stack, tmp_path, {})

    lines = (tmp_path / "0.out").read_text(encoding="utf-8").splitlines()
    result = "{'taxId': '12-3456789', 'legalName': 'Northstar LLC'}"
    assert [line for line in lines if case_id in line] == [f"ended {case_id} goal_achieved {result}"]
    assert len([line for line in lines if line.startswith(f"asks {asking_id} ")]) == 1


def paste(examples: list[Example], stack: Stack, directory: Path, given: dict[str, str]) -> None:
    """Runs all examples in one bash, as a reader who works down the page; output and errors go to files by number."""
    (directory / ".curlrc").write_text(CURLRC, encoding="utf-8")
    steps = []
    for number, example in enumerate(examples):
        script = example.script
        if example.language == "python":
            (directory / f"{number}.py").write_text(script, encoding="utf-8")
            script = f"python3 {number}.py\n"
        steps.append(f"{{\n{script}}} >{number}.out 2>{number}.err\necho $? >{number}.code\n")
    (directory / "page.sh").write_text("".join(steps), encoding="utf-8")
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "CURL_HOME": str(directory),
        "OFFLOAD_URL": stack.description["api"],
        "OFFLOAD_KEY": stack.description["api_key"],
        "SANDBOX": stack.description["sandbox"].rstrip("/"),
        "RECEIVER": stack.description["webhook_receiver"].rstrip("/"),
    }
    subprocess.run(
        ["bash", "page.sh"],
        cwd=directory,
        env=settings | given,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS_A_PAGE,
        check=False,
    )


def find_faults(example: Example, output: Path, comparison: Comparison) -> list[str]:
    """Returns what was not as the page shows it."""
    if not output.with_suffix(".code").exists():
        return ["the shell did not get this far"]
    errors = output.with_suffix(".err").read_text(encoding="utf-8")
    printed = output.with_suffix(".out").read_text(encoding="utf-8")
    statuses = [int(line.split()[1]) for line in errors.splitlines() if line.startswith("answered ")]
    faults = []
    if (code := int(output.with_suffix(".code").read_text(encoding="utf-8"))) != 0:
        faults.append(f"exit code {code}: {errors}{printed}")
    if "curl" in example.script and not statuses:
        faults.append(f"no call was answered: {errors}")
    if statuses:
        *earlier, last = statuses
        odd = [status for status in earlier if not 200 <= status < 300]
        if odd or not (last == example.status if example.status else 200 <= last < 300):
            faults.append(f"the page shows {example.status or '2xx'}, the answers were {statuses}: {printed}")
    if example.shown:
        faults += compare(example, printed, comparison)
    return faults


def compare(example: Example, printed: str, comparison: Comparison) -> list[str]:
    headers: dict[str, str] = {}
    if example.headers:
        _, headers, printed = read_message(printed)
    faults = [
        fault
        for name, value in example.headers
        if (fault := comparison.find_difference(value, headers.get(name), name)) is not None
    ]
    try:
        fault = comparison.find_difference(parse_shown(example.shown), parse_shown(printed))
    except ValueError as error:
        fault = f"not JSON ({error}): {printed}"
    return faults + ([fault] if fault else [])
