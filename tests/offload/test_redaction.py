"""No planted secret reaches a log line, whichever way it came in, and nothing else is taken out."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator

import pytest

from offload.redaction import RedactionFilter, redact

API_KEY = "off_3fk9a1b2_" + "aB3-_dE6gH" * 4 + "xyz"
SECRETS = {
    API_KEY: "off_3fk9a1b2_***",
    "sk-ant-api03-abcDEF_0123456789": "sk-***",
    "whsec_dGVzdHMtb25seS10ZXN0+/==": "whsec_***",
    "am_us_0123456789abcdef": "am_***",
    "Authorization: Bearer eyJhbGciOi.J9-x_y": "Authorization: Bearer ***",
    "postgres://offload:s3cr:t@p@db.internal:5432/offload": "postgres://offload:***@db.internal:5432/offload",
    "sqs://AKIAEXAMPLE:wJalrXUtnFEMI@": "sqs://AKIAEXAMPLE:***@",
    "host=db user=offload password=hunter2 dbname=x": "host=db user=offload password=*** dbname=x",
    "{'USER': 'offload', 'PASSWORD': 'hunter2'}": "{'USER': 'offload', 'PASSWORD': '***'}",
    "maya.chen+w9@northstar.example": "m***@northstar.example",
    "Maya <maya@northstar.example>, bo@b.example": "Maya <m***@northstar.example>, b***@b.example",
    "GET /v0/inboxes/maya%2Bw9%40northstar.example/messages": "GET /v0/inboxes/m***%40northstar.example/messages",
    "jürgen@müller.example": "j***@müller.example",
}
# What PostgreSQL and pydantic quote over several lines, up to where the quotation ends.
QUOTED = {
    "DETAIL:  Failing row contains (7, Dear\nMaya, null).\n\nThe above exception was the direct cause": (
        "DETAIL:  Failing row contains (***)\n\nThe above exception was the direct cause"
    ),
    "DETAIL:  Failing row contains (7, (Dear) Maya).": "DETAIL:  Failing row contains (***)",
    "JSON data, line 1: Dear Maya\n\nDuring handling of": "JSON data, line 1: ***\n\nDuring handling of",
    "[type=x, input_value='Dear\nMaya', input_type=str]": "[type=x, input_value=***, input_type=str]",
}
HARMLESS = [
    "team_meeting_at_ten i_am_here off_by_one",
    "http://127.0.0.1:8001/sandbox/agentmail/v0/inboxes",
    "celery@vm ready.",
    "matrix @ vector, 5 @ 3",
    "case 0197f6e2-9d3b-7c55-8a7e-5a1f0c3b2d4e is RUNNING after 100% of 3 steps",
]


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger that writes through the filter, as the console handler of the settings does."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(RedactionFilter())
    logger = logging.getLogger("tests.redaction")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)
    logger.propagate = True


@pytest.mark.parametrize(("secret", "shown"), SECRETS.items())
def test_a_secret_is_masked_and_masking_it_again_changes_nothing(secret: str, shown: str) -> None:
    assert redact(secret) == shown
    assert redact(f"before {secret} after") == f"before {shown} after"
    assert redact(shown) == shown


@pytest.mark.parametrize(("quoted", "shown"), QUOTED.items())
def test_a_quoted_row_is_masked_to_its_end_and_masking_it_again_changes_nothing(quoted: str, shown: str) -> None:
    assert redact(quoted) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_secret_in_message_and_arguments_is_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log

    logger.warning("key " + API_KEY + " of %s: %r", "maya@northstar.example", {"key": API_KEY})

    assert written.getvalue() == "key off_3fk9a1b2_*** of m***@northstar.example: {'key': 'off_3fk9a1b2_***'}\n"


def test_a_secret_split_between_message_and_argument_is_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log

    logger.warning("Bearer %s", "0123456789abcdef")

    assert written.getvalue() == "Bearer ***\n"


def test_a_secret_in_an_exception_its_cause_and_its_stack_is_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        try:
            raise ValueError("password=hunter2")
        except ValueError as cause:
            raise RuntimeError(f"sending with {API_KEY}") from cause
    except RuntimeError:
        logger.exception("failed for %s", "maya@northstar.example", stack_info=True)

    text = written.getvalue()
    assert text.startswith("failed for m***@northstar.example\nTraceback")
    assert "ValueError: password=***\n" in text
    assert "RuntimeError: sending with off_3fk9a1b2_***\n" in text
    assert "Stack (most recent call last):" in text
    assert "hunter2" not in text.replace('raise ValueError("password=***")', "")
    assert API_KEY not in text


def test_a_line_whose_arguments_do_not_fit_is_written_masked(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log

    logger.warning("two places %s %s", API_KEY)  # noqa: PLE1206

    assert written.getvalue() == "two places %s %s ('off_3fk9a1b2_***',)\n"


def test_a_line_with_a_percent_sign_and_without_a_secret_is_written_as_it_is(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, written = log

    logger.warning("100%% of %d", 3)
    logger.warning("100%")

    assert written.getvalue() == "100% of 3\n100%\n"


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "a@",
        "%40",
        "a%",
        "://a:",
        "Bearer ",
        "password=",
        "off_3fk9a1b2_",
        "whsec_",
        "am_a",
        "a@b.",
        "sk-a",
        "Failing row contains (",
        "input_value=",
        "\n\nThe above",
    ],
)
def test_a_hostile_line_of_a_megabyte_is_masked_within_three_seconds(piece: str) -> None:
    line = piece * (1_000_000 // len(piece)) + " @ %40 :// Bearer assword whsec_ am_ off_"
    start = time.perf_counter()

    redact(line)

    assert time.perf_counter() - start < 3
