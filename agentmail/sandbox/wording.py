"""PURE: what a mail server derives from a mail's text and subject; must not know the database or HTTP."""

import re

PREVIEW_CHARACTERS = 140
# A long mail is scanned only this far for the line that introduces the quoted one.
SCANNED_LINES = 400

_REPLY_PREFIX = re.compile(r"^\s*(re|aw|sv|antw)\s*:\s*", re.IGNORECASE)
_QUOTE_INTRODUCTION = re.compile(r"^\s*(On\b.{0,200}\bwrote:|-{2,}\s*Original Message\s*-{2,})\s*$")


def reply_subject(subject: str) -> str:
    """Returns the subject with one `Re: ` in front; a subject that has one stays as it is."""
    if _REPLY_PREFIX.match(subject):
        return subject
    return f"Re: {subject}".rstrip()


def make_preview(text: str) -> str:
    """Returns the beginning of the text on one line, at most 140 characters."""
    line = " ".join(text[: PREVIEW_CHARACTERS * 4].split())
    return line if len(line) <= PREVIEW_CHARACTERS else f"{line[: PREVIEW_CHARACTERS - 1].rstrip()}…"


def extract_written_text(text: str) -> str:
    """Returns what the sender wrote, without the quoted mail below it and without `>` lines."""
    kept: list[str] = []
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if index < SCANNED_LINES and _QUOTE_INTRODUCTION.match(line):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip()
