"""How every process logs: one line a record, in JSON or for people, redacted; must not import Django.

Gunicorn's master reads this before it forks. What a line is about (`request_id`, `case_id`, `event_id`, `delivery_id`)
is bound with structlog's context variables where the work begins; code in between just logs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from offload.checks import LOG_FORMATS
from offload.redaction import redact

# In a line for people, in this order behind the message.
CONTEXT = ("request_id", "case_id", "event_id", "delivery_id")

# What these write below the level named here holds whole URLs with their headers, requests to a model with the mail
# in them, or the variables of a page.
QUIET = {
    "anthropic": logging.WARNING,
    "amqp": logging.WARNING,
    "boto3": logging.WARNING,
    "botocore": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "httpx2": logging.WARNING,
    "kombu": logging.WARNING,
    "openai": logging.WARNING,
    "pydantic_ai": logging.WARNING,
    "urllib3": logging.WARNING,
    "django.db.backends": logging.INFO,
    "django.template": logging.INFO,
    # With a stack trace for every request of a stranger who names another host.
    "django.security.DisallowedHost": logging.CRITICAL,
}

Event = MutableMapping[str, Any]


def build_logging(*, level: str, log_format: str) -> dict[str, Any]:
    """Returns the dictionary for `logging.config.dictConfig`, the same for web, worker, beat and gunicorn itself."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"redact": {"()": "offload.redaction.RedactionFilter"}},
        "formatters": {name: {"()": "offload.logs.make_formatter", "log_format": name} for name in LOG_FORMATS},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": log_format, "filters": ["redact"]},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": floor} for name, floor in QUIET.items()}
        # Gunicorn gives its loggers handlers of its own, which would write past the redaction.
        | {name: {"handlers": ["console"], "propagate": False} for name in ("gunicorn.error", "gunicorn.access")},
    }


def make_formatter(log_format: str) -> structlog.stdlib.ProcessorFormatter:
    """Returns the formatter for `json` (one object a line) or `line` (for people)."""
    return structlog.stdlib.ProcessorFormatter(
        # Before the formatter takes the trace off its copy of the record.
        foreign_pre_chain=[_describe],
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact_event,
            _render_json if log_format == "json" else _render_line,
        ],
    )


def redact_event(_logger: object, _name: str, event: Event) -> Event:
    """Returns the event with every value redacted: before it becomes JSON, whose escapes would hide a secret."""
    return {key: _redact_value(value) for key, value in event.items()}


def _redact_value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(value if isinstance(value, str) else repr(value))


def _describe(_logger: object, _name: str, event: Event) -> Event:
    record: logging.LogRecord = event["_record"]
    told: Event = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": event["event"],
        "pid": record.process,
    }
    # RedactionFilter has written the trace.
    if record.exc_text:
        told["exception"] = record.exc_text
    if record.stack_info:
        told["stack"] = record.stack_info
    told["_record"], told["_from_structlog"] = record, event["_from_structlog"]
    return told


def _render_json(_logger: object, _name: str, event: Event) -> str:
    # Nothing that a stranger wrote can begin a line: JSON escapes what would.
    return json.dumps(event, separators=(",", ":"))


def _render_line(_logger: object, _name: str, event: Event) -> str:
    when = datetime.fromisoformat(event["timestamp"]).astimezone()
    about = "".join(f" {key}={event[key]}" for key in CONTEXT if key in event)
    line = f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d} {event['level']} {event['logger']}: "
    traces = [event[key] for key in ("exception", "stack") if key in event]
    return "\n".join([f"{line}{event['message']}{about}", *traces])
