"""PURE: what a check found, and how it is shown; must not look at anything itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """`FAIL` stands between the installation and its work, `warn` will or may."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `remedy` says what to do first, in words; `command` is what to run, as it may be pasted."""

    level: Level
    name: str
    found: str
    remedy: str = ""
    command: str = ""

    def to_line(self) -> str:
        """Returns `level  name  what was found  →  what mends it`."""
        line = f"{self.level.value:<4}  {self.name:<16}  {self.found}"
        mend = ": ".join(part for part in (self.remedy, self.command) if part)
        return f"{line}  →  {mend}" if mend else line

    def to_json(self) -> dict[str, str]:
        """Returns the same as members."""
        return {
            "level": self.level.value,
            "name": self.name,
            "found": self.found,
            "remedy": self.remedy,
            "command": self.command,
        }


def ok(name: str, found: str) -> Finding:
    """Returns a finding that needs nobody."""
    return Finding(Level.OK, name, found)


def warn(name: str, found: str, remedy: str = "", command: str = "") -> Finding:
    """Returns a finding that somebody should look after."""
    return Finding(Level.WARN, name, found, remedy, command)


def fail(name: str, found: str, remedy: str = "", command: str = "") -> Finding:
    """Returns a finding that stands between the installation and its work."""
    return Finding(Level.FAIL, name, found, remedy, command)


def count_levels(findings: Iterable[Finding]) -> dict[Level, int]:
    """Returns how many findings each level has."""
    levels = [finding.level for finding in findings]
    return {level: levels.count(level) for level in Level}


def explain_settings(fault: str) -> list[Finding]:
    """Returns a finding for each line of the error that settings.py refuses to start with."""
    lines = [line.strip().removeprefix("- ") for line in fault.splitlines()]
    told = [line for line in lines if line and not line.endswith(":")] or ["they cannot be read"]
    return [fail("settings", line, "mend it where your settings are, and restart every process") for line in told]


def to_document(findings: Iterable[Finding]) -> dict[str, Any]:
    """Returns what `--json` prints; `ok` is whether nothing fails."""
    rows = list(findings)
    return {"ok": count_levels(rows)[Level.FAIL] == 0, "findings": [row.to_json() for row in rows]}
