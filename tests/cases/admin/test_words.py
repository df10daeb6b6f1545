"""How a case and its events read to staff, in every state they can be in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cases.admin import words
from cases.admin.words import Chip
from cases.workflow import EventKind, ResultStatus, Status

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "action", "at", "sentence"),
    [
        ("CREATED", "", None, "The first message is about to be written"),
        ("RUNNING", "follow_up", SOON, "Follows up 24 Nov 2026, 11:00 UTC"),
        ("RUNNING", "follow_up", NOW, "Follows up as soon as a worker is free"),
        ("RUNNING", "recheck", SOON, "Looks at the thread again 24 Nov 2026, 11:00 UTC"),
        ("RUNNING", "", None, "The latest mail is about to be evaluated"),
        ("INPUT_NEEDED", "", None, "Waits for a person to answer"),
        ("COMPLETED", "", None, "The case has ended"),
        ("FAILED", "", None, "The case has ended"),
    ],
)
def test_every_state_says_what_comes_next(status: str, action: str, at: datetime | None, sentence: str) -> None:
    assert words.describe_next_action(status, action, at, NOW) == sentence


@pytest.mark.parametrize(
    ("status", "run_after", "attempt", "chip"),
    [
        ("ready", NOW, 0, Chip("Waits for a worker", "live")),
        ("ready", SOON, 2, Chip("Tried again 24 Nov 2026, 11:00 UTC", "live")),
        ("running", NOW, 1, Chip("Being worked on", "live")),
        ("running", NOW, 3, Chip("Being worked on, attempt 3", "live")),
        ("dead", NOW, 1, Chip("Given up after 1 failure", "human")),
        ("done", NOW, 1, None),
    ],
)
def test_every_state_of_an_event_has_its_chip(
    status: str, run_after: datetime, attempt: int, chip: Chip | None
) -> None:
    shown = words.describe_event_state(status, run_after=run_after, attempt=attempt, failures=1, now=NOW)

    assert shown == chip


def test_every_status_and_kind_of_the_workflow_has_words_of_its_own() -> None:
    chips = [words.describe_status(status) for status in Status]
    titles = [words.describe_event(kind) for kind in EventKind]

    assert [chip.text for chip in chips if chip.tone == words.HUMAN] == ["Needs an answer"]
    assert words.QUIET not in {chip.tone for chip in chips}
    assert len(set(titles)) == len(EventKind)
    assert not set(titles) & {str(kind) for kind in EventKind}


def test_a_word_that_nobody_knows_is_shown_as_it_is() -> None:
    assert words.describe_status("ODD") == Chip("ODD", "quiet")
    assert words.describe_event("ODD") == "ODD"
    assert words.describe_delivery("odd") == Chip("odd", "quiet")
    assert words.describe_decision({"kind": "ODD"}) == "ODD"
    assert words.describe_decision({}) == "No decision is on record"


def test_every_result_status_of_ours_has_words_and_a_strange_one_is_shown_as_it_is() -> None:
    shown = [words.describe_result(status) for status in ResultStatus]

    assert len(set(shown)) == len(ResultStatus)
    assert not set(shown) & {str(status) for status in ResultStatus}
    assert [words.describe_result(status) for status in ("odd", "")] == ["odd", ""]


@pytest.mark.parametrize(
    ("name", "who"),
    [("Chen, Maya", "Maya"), ("Dr. Maya Chen", "Maya"), ("Billing team", "The counterparty"), ("", "The counterparty")],
)
def test_who_reads_an_answer_is_called_by_the_first_name(name: str, who: str) -> None:
    assert words.describe_readers(name).startswith(f"{who} may read these words: ")


def test_an_address_that_somebody_put_on_the_list_says_in_whose_words() -> None:
    sentence = words.describe_suppression("maya@x.example", "asked by phone", NOW, is_own=False)

    assert sentence == (
        "maya@x.example was put on the list of addresses that get no mail on 24 Nov 2026, 10:00 UTC (asked by phone); "
        "Offload does not write to it any more."
    )


@pytest.mark.parametrize(
    ("tokens_in", "cost", "sentence"),
    [
        (1200, Decimal("0.0225"), "1.5 s, 1,200 tokens read, 50 written, 0.0225 US dollars"),
        (1200, None, "1.5 s, 1,200 tokens read, 50 written, price unknown"),
    ],
)
def test_a_call_tells_what_it_took(tokens_in: int, cost: Decimal | None, sentence: str) -> None:
    assert words.describe_usage(tokens_in, 50, cost, 1500) == sentence


def test_a_call_of_the_rules_tells_its_time_alone() -> None:
    assert words.describe_usage(0, 0, None, 20) == "0.0 s"


def test_every_word_a_decision_rests_on_is_told_with_who_wrote_it() -> None:
    evidence = [
        {"field": "ein", "message_id": "<1@x>", "quote": "EIN: 12-3456789"},
        {"field": "", "message_id": "human:2", "quote": "Yes."},
        {"field": "name", "message_id": "<gone@x>", "quote": "Northstar"},
        {"field": "silent", "message_id": "<1@x>", "quote": ""},
    ]

    assert words.describe_evidence({"evidence": evidence}, {"<1@x>": "Maya, 24 Nov 2026, 10:00 UTC"}) == (
        "ein: “EIN: 12-3456789” — Maya, 24 Nov 2026, 10:00 UTC",
        "“Yes.” — answer 2 of a colleague",
        "name: “Northstar” — a mail that is not shown here",
    )
    assert words.describe_evidence({"kind": "SNOOZE"}, {}) == ()


def test_a_mail_that_its_domain_disowns_is_marked() -> None:
    assert words.describe_mail("none", "", "fail") == "failed DMARC: the sender may be forged"
    assert [words.describe_mail("none", "", verdict) for verdict in ("", "none", "pass")] == ["", "", ""]
