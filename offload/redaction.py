"""Keeps keys, passwords and people's addresses out of the log; must not slow down a line that has none of them."""

import logging
import re
from logging import LogRecord

# A part of an address: what may stand left of the @. The first one never is *, so that masking twice is masking once.
_PART = r"[^\s@\"'<>(),:;=\[\]{}/\\|]"
_FIRST = r"[^\s@\"'<>(),:;=\[\]{}/\\|*]"

_PASSWORD = re.compile(r"(password[\"']?+\s?[=:]\s?[\"']?+)[^\s\"',;&]++", re.IGNORECASE)

# PostgreSQL quotes the row that it refuses, and pydantic the value: both may be somebody's mail, over many lines.
_QUOTE_ENDS = r"(?=\n\nThe above exception|\n\nDuring handling|\Z)"

# (a text without which the pattern cannot match, the pattern, what is written instead). In this order: the password
# of a URL stands left of an @ too. No pattern may look twice at the same stretch, because a log line can hold what a
# stranger wrote: hence the possessive quantifiers and the look-behinds that allow one start per word.
_RULES = (
    ("off_", re.compile(r"(off_[A-Za-z0-9]{8}_)[A-Za-z0-9_-]{20,}"), r"\1***"),
    ("whsec_", re.compile(r"whsec_[A-Za-z0-9+/=_-]++"), "whsec_***"),
    ("am_", re.compile(r"(?<![A-Za-z0-9])am_[A-Za-z0-9_-]{6,}+"), "am_***"),
    ("sk-", re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{12,}+"), "sk-***"),
    ("earer", re.compile(r"\b([Bb]earer)\s++[^\s\"',;]++"), r"\1 ***"),
    ("assword", _PASSWORD, r"\1***"),
    ("ASSWORD", _PASSWORD, r"\1***"),
    ("://", re.compile(r"(://[^\s:/@]*+):[^\s/]+@"), r"\1:***@"),
    ("@", re.compile(rf"(?<!{_PART})({_FIRST}){_PART}*+@(?=[\w-]++\.\w)"), r"\1***@"),
    ("Failing row contains", re.compile(rf"(Failing row contains )\(.*?{_QUOTE_ENDS}", re.DOTALL), r"\1(***)"),
    ("JSON data, line", re.compile(rf"(JSON data, line \d+: ).*?{_QUOTE_ENDS}", re.DOTALL), r"\1***"),
    ("input_value=", re.compile(r"input_value=.*?(?=, input_type=|\Z)", re.DOTALL), "input_value=***"),
    ("%40", re.compile(r"(?<![\w.+%-])(\w)(?:(?!%40)[\w.+%-])*%40(?=[\w-]++\.\w)"), r"\1***%40"),
)


def redact(text: str) -> str:
    """Returns the text without secrets: an API key keeps its public prefix, an address its first letter and domain.

    A second call changes nothing.
    """
    for hint, pattern, replacement in _RULES:
        if hint in text:
            text = pattern.sub(replacement, text)
    return text


class RedactionFilter(logging.Filter):
    """Rewrites a record before its handler writes it: message with arguments, traceback and stack."""

    def filter(self, record: LogRecord) -> bool:
        """Always True; the record is changed in place, so what a later handler writes is redacted as well."""
        try:
            message = record.getMessage()
        except Exception:
            # Arguments that do not fit: logging would print them to stderr, past every filter.
            message = f"{record.msg} {record.args}"
            record.msg, record.args = message, None
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, None
        if record.exc_info and not record.exc_text:
            # Formatters write exc_text when there is one, instead of formatting the exception themselves.
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
