"""Reads the examples of a documentation page and compares answers with what it shows; must not run anything.

An example is a block marked `sh` or `python`. A `json` or `http` block behind it, before any other example, shows its
answer, and the last `NNN` in the prose between the two is the status; without one the answer is any 2xx.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

RUN = ("sh", "python")
SHOWN = ("json", "http")
ANYTHING = "…"
NOTHING_SCHEDULED = 253402300799999
# Unix milliseconds from 2020 on: an example's time is another one at every run.
FIRST_TIME = 1_577_836_800_000

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"`([1-5]\d\d)\b")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Example:
    """One block that a reader may paste, and the answer that the page shows behind it.

    line: where it stands in the page, from 1. status: 0 when the page names none.
    shown: the answer's JSON text. headers: what an `http` block shows, by lower-case name.
    """

    line: int
    language: str
    script: str
    status: int = 0
    shown: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def read_examples(page: str) -> list[Example]:
    """Returns the page's examples, in order."""
    blocks = list(_BLOCK.finditer(page))
    examples = []
    for number, block in enumerate(blocks):
        if block["language"] not in RUN:
            continue
        line = page.count("\n", 0, block.start()) + 1
        behind = blocks[number + 1] if number + 1 < len(blocks) else None
        script = textwrap.dedent(block["text"])
        if behind is None or behind["language"] not in SHOWN:
            examples.append(Example(line, block["language"], script))
            continue
        named = _STATUS.findall(page[block.end() : behind.start()])
        shown = textwrap.dedent(behind["text"])
        status = int(named[-1]) if named else 0
        headers: tuple[tuple[str, str], ...] = ()
        if behind["language"] == "http":
            status, headers, shown = _read_message(shown)
        examples.append(Example(line, block["language"], script, status, shown, headers))
    return examples


def _read_message(text: str) -> tuple[int, tuple[tuple[str, str], ...], str]:
    """Returns status, headers and body of an answer as `curl -i` prints it."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), tuple((name.strip().lower(), value.strip()) for name, _, value in pairs), body


def read_message(text: str) -> tuple[int, dict[str, str], str]:
    """Returns status, headers by lower-case name and body of what `curl -i` printed."""
    status, headers, body = _read_message(text)
    return status, dict(headers), body


def list_calls_outside_examples(page: str) -> list[int]:
    """Returns the lines of blocks that show a `curl` and would be run by nobody."""
    return [
        page.count("\n", 0, block.start()) + 1
        for block in _BLOCK.finditer(page)
        if block["language"] not in RUN and re.search(r"\bcurl +[-\"'$h]", block["text"])
    ]


class Comparison:
    """Compares what a page shows with what came; remembers which real id each shown one stands for."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def find_difference(self, shown: Any, real: Any, path: str = "") -> str | None:
        """Returns where `real` differs from `shown`, or None.

        "…" stands for anything, inside of a text too, and as a member's name for members that are not shown. One time
        stands for another, and one UUID for another, but for the same one everywhere in the page.
        """
        if shown == ANYTHING:
            return None
        if isinstance(shown, dict) and isinstance(real, dict):
            return self._compare_members(shown, real, path)
        if isinstance(shown, list) and isinstance(real, list):
            if len(shown) != len(real):
                return f"{path}: {len(shown)} members are shown, {len(real)} came"
            found = (
                self.find_difference(*pair, f"{path}[{index}]")
                for index, pair in enumerate(zip(shown, real, strict=True))
            )
            return next((fault for fault in found if fault), None)
        if type(shown) is not type(real):
            return f"{path}: {shown!r} is shown, {real!r} came"
        alike = self._is_text_alike(shown, real) if isinstance(shown, str) else shown == real or _are_times(shown, real)
        return None if alike else f"{path}: {shown!r} is shown, {real!r} came"

    def _compare_members(self, shown: dict[str, Any], real: dict[str, Any], path: str) -> str | None:
        listed = {name: value for name, value in shown.items() if name != ANYTHING}
        missing, unknown = listed.keys() - real.keys(), real.keys() - listed.keys()
        if missing or (unknown and ANYTHING not in shown):
            return f"{path}: shown and not there {sorted(missing)}, there and not shown {sorted(unknown)}"
        found = (self.find_difference(value, real[name], f"{path}.{name}") for name, value in listed.items())
        return next((fault for fault in found if fault), None)

    def _is_text_alike(self, shown: str, real: str) -> bool:
        for ours, theirs in zip(_UUID.findall(shown), _UUID.findall(real), strict=False):
            if self._ids.setdefault(ours, theirs) != theirs:
                return False
        plain = re.sub(r"([][*?])", r"[\1]", _UUID.sub("ID", shown)).replace(ANYTHING, "*")
        return fnmatchcase(_UUID.sub("ID", real), plain)


def _are_times(shown: Any, real: Any) -> bool:
    return type(shown) is int and min(shown, real) >= FIRST_TIME and NOTHING_SCHEDULED not in (shown, real)


def parse_shown(text: str) -> Any:
    """Returns the JSON of a block. Raises ValueError when a page shows what is no JSON."""
    return json.loads(text)
