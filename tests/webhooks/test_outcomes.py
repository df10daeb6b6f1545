"""What one POST means for its delivery."""

from __future__ import annotations

import pytest

from webhooks.outcomes import Answered, AttemptOutcome, NotSent, Unknown, Verdict, clean_text, judge


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert judge(Answered(status, b"thanks", 12)) == Verdict(
        AttemptOutcome.DELIVERED, error="", status_code=status, first_bytes="thanks"
    )


@pytest.mark.parametrize("status", [199, 400, 404, 410, 429, 500, 503, 599])
def test_any_other_status_is_failed_and_says_which(status: int) -> None:
    assert judge(Answered(status, b"", 12)) == Verdict(
        AttemptOutcome.FAILED, error=f"The endpoint answered {status}.", status_code=status
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_failed_and_says_that_it_was_not_followed(status: int) -> None:
    assert judge(Answered(status, b"", 12)).error == f"The endpoint answered {status}. Redirects are not followed."


def test_what_was_not_sent_is_failed_and_what_may_have_arrived_is_unknown() -> None:
    assert judge(NotSent("nobody there")) == Verdict(AttemptOutcome.FAILED, error="nobody there")
    assert judge(Unknown("no answer")) == Verdict(AttemptOutcome.UNKNOWN, error="no answer")


def test_an_answer_is_kept_as_text_that_the_database_can_hold() -> None:
    assert clean_text("é\tok\r\n".encode() + b"\x00\xff\x1b[31m") == "é\tok\r\n\ufffd\ufffd\ufffd[31m"
