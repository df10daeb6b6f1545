"""What a line of the log looks like, in both forms, and that no secret is in it whichever way it came."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars, clear_contextvars

from offload.logs import QUIET, build_logging

API_KEY = "off_3fk9a1b2_" + "aB3-_dE6gH" * 4 + "xyz"
Written = tuple[logging.Logger, io.StringIO]


@pytest.fixture(params=["json", "line"])
def log(request: pytest.FixtureRequest) -> Iterator[Written]:
    """A logger that writes as the product's own handler does, in one of the two forms."""
    stream = io.StringIO()
    config = build_logging(level="DEBUG", log_format=request.param)
    handler = config["handlers"]["console"] | {"stream": stream}
    logger_config = {"tests.logs": {"handlers": ["console"], "level": "DEBUG", "propagate": False}}
    # Without "root" and the loggers that other tests listen to.
    logging.config.dictConfig(
        config | {"handlers": {"console": handler}, "root": {}, "loggers": logger_config, "incremental": False}
    )
    logger = logging.getLogger("tests.logs")
    # What another test's request left on this thread.
    clear_contextvars()
    yield logger, stream
    logger.handlers.clear()


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_a_json_line_tells_when_where_what_and_about_which_case(log: Written) -> None:
    logger, stream = log

    with bound_contextvars(case_id="c1", event_id=7):
        logger.warning("two\nlines of %s", "a mail")

    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("+00:00")
    assert isinstance(line.pop("pid"), int)
    assert line == {
        "level": "WARNING",
        "logger": "tests.logs",
        "message": "two\nlines of a mail",
        "case_id": "c1",
        "event_id": 7,
    }


@pytest.mark.parametrize("log", ["line"], indirect=True)
def test_a_line_for_people_ends_with_what_it_is_about(log: Written) -> None:
    logger, stream = log

    with bound_contextvars(event_id=7, case_id="c1"):
        logger.info("handled")

    assert stream.getvalue()[24:] == "INFO tests.logs: handled case_id=c1 event_id=7\n"


def test_a_trace_stands_in_the_line_and_is_redacted(log: Written) -> None:
    logger, stream = log
    try:
        raise RuntimeError(f"sending with {API_KEY}")
    except RuntimeError:
        logger.exception("failed", stack_info=True)

    text = stream.getvalue()
    assert "RuntimeError: sending with off_3fk9a1b2_***" in text
    assert "Stack (most recent call last)" in text
    assert API_KEY not in text


def test_what_is_bound_is_redacted_too(log: Written) -> None:
    logger, stream = log

    with bound_contextvars(request_id=API_KEY, case_id={"key": API_KEY}):
        logger.info("handled")

    assert API_KEY not in stream.getvalue()
    assert stream.getvalue().count("off_3fk9a1b2_***") == 2


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_a_lone_surrogate_and_arguments_that_do_not_fit_are_written(log: Written) -> None:
    logger, stream = log

    # Straight to the handler: what pytest keeps of a record has to be UTF-8 when it travels between its processes.
    logger.handlers[0].handle(logger.makeRecord(logger.name, logging.WARNING, __file__, 1, "half a \ud83d", (), None))
    logger.handlers[0].handle(logger.makeRecord(logger.name, logging.WARNING, __file__, 1, "two %s %s", ("one",), None))

    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "half a \ud83d"
    assert second["message"] == "two %s %s ('one',)"


def test_gunicorns_own_lines_go_the_same_way() -> None:
    config = build_logging(level="INFO", log_format="json")

    for name in ("gunicorn.error", "gunicorn.access"):
        assert config["loggers"][name] == {"handlers": ["console"], "propagate": False}


def test_what_would_log_bodies_and_headers_is_quiet_at_debug() -> None:
    loggers: dict[str, Any] = build_logging(level="DEBUG", log_format="json")["loggers"]

    assert {name: loggers[name]["level"] for name in QUIET} == QUIET
    for name in ("openai", "anthropic", "httpx", "botocore", "django.db.backends", "django.template"):
        assert QUIET[name] > logging.DEBUG
