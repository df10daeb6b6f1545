"""The pages say what the code does, as far as that can be told without running a stack."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.utils import timezone
from rest_framework import serializers

from cases.api.serializers import AnswerSerializer, NewCaseSerializer
from cases.models import Case
from cases.representation import represent_case
from cases.workflow import ResultStatus, Status
from tests.docs_reader import Comparison, list_calls_outside_examples, read_examples

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
GUIDES = sorted((ROOT / "docs").glob("*.md"))
ALL = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "bench" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
API = ROOT / "cases" / "api"
# In the first cell of a table's row.
_NAME = re.compile(r"`([\w.]+)`")
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def read_page(name: str) -> str:
    return (ROOT / "docs" / "api" / name).read_text(encoding="utf-8")


def list_names(page: str, heading: str) -> set[str]:
    """Returns the names in the first column of the first table under a heading; `.role` belongs to its neighbour."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = section[section.index("\n|") :].split("\n\n", 1)[0]
    names = set()
    for row in table.strip().splitlines()[2:]:
        found = _NAME.findall(row.split("|")[1])
        parent = found[0].rpartition(".")[0]
        names |= {f"{parent}{name}" if name.startswith(".") else name for name in found}
    return names


def list_members(serializer: Any, path: str = "") -> set[str]:
    members: set[str] = set()
    for name, field in serializer.fields.items():
        here = f"{path}{name}"
        members |= list_members(field, f"{here}.") if isinstance(field, serializers.Serializer) else {here}
    return members


@pytest.mark.parametrize("document", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", document.read_text(encoding="utf-8"))):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}, target


@pytest.mark.parametrize("document", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_exists_with_its_options(document: Path) -> None:
    known = get_commands()
    for name, rest in re.findall(r"manage\.py ([a-z_]+)([^\n`|]*)", document.read_text(encoding="utf-8")):
        command = known.get(name)
        assert command, f"manage.py {name}"
        loaded = load_command_class(command, name) if isinstance(command, str) else command
        options = loaded.create_parser("manage.py", name)._option_string_actions
        given = re.findall(r"(?<= )--[a-z][a-z-]*", rest.partition("#")[0])
        assert [option for option in given if option not in options] == [], f"manage.py {name}{rest}"


def test_the_map_names_every_guide() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in GUIDES if page.name != "README.md" and f"]({page.name})" not in index] == []


def test_every_metric_that_troubleshooting_names_is_one_of_the_list() -> None:
    listed, named = (
        set(re.findall(r"`(offload_[a-z_]+)", (ROOT / "docs" / name).read_text(encoding="utf-8")))
        for name in ("monitoring.md", "troubleshoot.md")
    )

    assert len(named) > 10
    assert named - listed == set()


def test_every_picture_is_small_and_stands_on_a_page() -> None:
    images = list((ROOT / "docs" / "images").iterdir())
    text = "".join(path.read_text(encoding="utf-8") for path in ALL)

    assert [image.name for image in images if image.stat().st_size > 200_000] == []
    assert [image.name for image in images if f"images/{image.name})" not in text] == []


def test_the_index_names_every_page() -> None:
    index = read_page("README.md")

    assert [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in index] == []


def test_the_errors_page_lists_the_codes_that_the_code_gives_and_no_other() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in API.glob("*.py"))
    given = set(re.findall(r'(?:__init__|ApiError|_answer|_refuse|make_envelope)\((?:\d{3}, )?"([A-Z_]+)"', text))

    listed = set(re.findall(r"^\| \d{3} \| `([A-Z_]+)`", read_page("errors.md"), re.MULTILINE))

    assert len(given) > 15
    assert listed == given


def test_the_fields_of_a_new_case_are_all_described_and_no_other() -> None:
    assert list_names(read_page("create-a-case.md"), "Fields") == list_members(NewCaseSerializer())


def test_the_fields_of_an_answer_are_all_described_and_no_other() -> None:
    assert list_names(read_page("provide-input.md"), "Fields") == list_members(AnswerSerializer())


def test_the_fields_of_a_case_are_all_described_and_no_other() -> None:
    now = timezone.now()
    case = Case(
        client_reference_id="vendor-1042",
        created_at=now,
        updated_at=now,
        result_status="goal_achieved",
        result={},
        result_schema={},
        constraints=[],
        metadata={},
    )

    shown = represent_case(case, [], None, expand=("metadata", "failureReason"))

    described = list_names(read_page("get-a-case.md"), "Fields of the answer")
    assert described == shown.keys() | {"conversationThread"}


def test_every_status_and_result_status_is_described() -> None:
    page = read_page("get-a-case.md")

    rows = {name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in _NAME.findall(row)}

    assert {str(status) for status in (*Status, *ResultStatus)} <= rows


def run_wait_for(page: str, wanted: str, status: str, asked: str | None) -> tuple[int, str]:
    """Runs the page's `wait_for` on a case as given; returns its exit code, 9 for going on, and its message."""
    found = re.search(r"^wait_for\(\) \{\n.*?^\}$", read_page(page), re.MULTILINE | re.DOTALL)
    assert found
    case = {"data": {"status": status, "inputRequest": {"status": asked} if asked else None}}
    script = f"get() {{ echo '{json.dumps(case)}'; }}\nsleep() {{ exit 9; }}\n{found[0]}\nwait_for {wanted}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize("page", ["guide-human-in-the-loop.md", "guide-result-schemas.md"])
@pytest.mark.parametrize(
    ("wanted", "status", "asked", "expected"),
    [
        ("RUNNING", "CREATED", None, (9, "")),
        ("RUNNING", "RUNNING", None, (0, "")),
        ("INPUT_NEEDED", "INPUT_NEEDED", "PENDING", (0, "")),
        ("RUNNING", "INPUT_NEEDED", "RESOLVED", (9, "")),
        ("RUNNING", "INPUT_NEEDED", "PENDING", (1, "waited for RUNNING, but the case is INPUT_NEEDED")),
        ("COMPLETED", "FAILED", None, (1, "waited for COMPLETED, but the case is FAILED")),
        ("RUNNING", "COMPLETED", "RESOLVED", (1, "waited for RUNNING, but the case is COMPLETED")),
    ],
)
def test_the_loop_of_a_guide_gives_up_when_the_case_ends_otherwise_or_asks(
    page: str, wanted: str, status: str, asked: str | None, expected: tuple[int, str]
) -> None:
    assert run_wait_for(page, wanted, status, asked) == expected


PAGE = """
Text.

```sh
curl "$OFFLOAD_URL/cases/1"
```

Answers `404`:

```json
{"ok": false}
```

```
curl "$OFFLOAD_URL/never-run"
```

```sh
curl -i "$OFFLOAD_URL/cases"
```

```http
HTTP/1.1 201 Created
Idempotency-Replayed: true

{"ok": true}
```
"""


def test_an_example_is_read_with_the_answer_behind_it() -> None:
    first, second = read_examples(PAGE)

    assert (first.line, first.script, first.status) == (4, 'curl "$OFFLOAD_URL/cases/1"\n', 404)
    assert first.shown == '{"ok": false}\n'
    assert (second.status, second.headers) == (201, (("idempotency-replayed", "true"),))
    assert second.shown == '{"ok": true}\n'


def test_a_call_that_nobody_would_run_is_found() -> None:
    assert list_calls_outside_examples(PAGE) == [14]


ONE, OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "9688edef-bcbc-4547-8b61-8ff3195901cf"


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": "1"}, {"a": 1}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {"a": "…"}),
        (["a"], ["a", "b"]),
        ("from … to Maya", "from Ana to Ben"),
        ("a*c", "abc"),
        (1795526614423, 253402300799999),
        ([ONE, ONE], [ONE, OTHER]),
        (ONE, "none"),
    ],
)
def test_an_answer_that_differs_from_the_page_is_told(shown: Any, real: Any) -> None:
    assert Comparison().find_difference(shown, real) is not None


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ({"a": "…", "…": "…"}, {"a": [1], "b": 2}),
        ("evt_" + ONE + "_…", "evt_" + OTHER + "_1"),
        (1795526614423, 1795526614999),
        ([ONE, ONE], [OTHER, OTHER]),
        ("[a] ? *", "[a] ? *"),
    ],
)
def test_an_answer_that_is_of_the_shape_shown_passes(shown: Any, real: Any) -> None:
    assert Comparison().find_difference(shown, real) is None
