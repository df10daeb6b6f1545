"""A client's limits empty what ended cases keep, and nothing of a case that lives or of another client."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent
from cases.keeping import Keeping
from cases.models import Case
from offload.forgetting.limits import clear_what_is_over
from tests.cases.factories import OPENED_AT, CaseFactory
from tests.offload.test_erase_person import CANARY, NAME, WORDS, list_places, make_mail, make_person

pytestmark = pytest.mark.django_db
NOW = OPENED_AT + timedelta(days=40)


def read_marks(case: Case) -> tuple[datetime | None, datetime | None, datetime | None]:
    row = Case.objects.get(id=case.id)
    return row.mail_cleared_at, row.files_cleared_at, row.agent_cleared_at


def test_without_limits_everything_is_kept() -> None:
    case = make_person()

    assert clear_what_is_over(NOW) == 0
    assert read_marks(case) == (None, None, None)


def test_mail_that_is_over_is_emptied_and_status_result_and_timeline_stay() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30)

    assert clear_what_is_over(NOW) == 1

    sent, received = OutboundEmail.objects.get(), InboundEmail.objects.get()
    assert (sent.subject, sent.text, sent.payload, sent.to_address) == ("", "[cleared]", "{}", "maya.q@vendor.example")
    assert (received.subject, received.text, received.html, received.extracted_text, received.headers) == (
        *[""] * 4,
        {},
    )
    assert ProviderEvent.objects.get().payload == {}
    assert received.attachments == [WORDS]
    assert read_marks(case) == (NOW, None, None)
    left = Case.objects.get(id=case.id)
    assert (left.status, left.result, left.updated_at) == ("COMPLETED", WORDS, case.updated_at)
    assert left.events.get().summary == CANARY
    assert left.agent_runs.get().rationale == CANARY


def test_files_and_the_agents_reasons_have_limits_of_their_own() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, files_days=30, agent_days=39)

    assert clear_what_is_over(NOW) == 2

    run = case.agent_runs.get()
    assert (run.decision, run.rationale, run.reasks, run.guard_hits, run.tokens_in) == ({}, "", [], [], 12)
    assert case.attachments.count() == 0
    assert InboundEmail.objects.get().attachments == []
    assert OutboundEmail.objects.get().text == CANARY
    assert read_marks(case) == (None, NOW, NOW)


def test_a_case_that_lives_one_that_ended_later_and_another_clients_keep_everything() -> None:
    over = make_person()
    Keeping.objects.create(client=over.client, mail_days=30)
    kept = [
        make_person(client=over.client, status="RUNNING", result_status=""),
        make_person(client=over.client, updated_at=NOW - timedelta(days=30)),
        make_person(),
    ]

    assert clear_what_is_over(NOW) == 1

    assert [read_marks(case) for case in kept] == [(None, None, None)] * 3
    assert OutboundEmail.objects.filter(text=CANARY).count() == 3
    assert NAME in InboundEmail.objects.filter(owner=kept[0].id).get().text


def test_a_mail_whose_sending_is_not_settled_keeps_its_words() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30)
    tried = {"first_attempt_at": OPENED_AT, "last_attempt_at": OPENED_AT, "attempts": 1}
    OutboundEmail.objects.update(state="unknown", **tried)

    clear_what_is_over(NOW)

    assert OutboundEmail.objects.get().text == CANARY


def test_a_second_run_finds_nothing_and_one_that_ends_later_is_found_in_its_time() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30)
    clear_what_is_over(NOW)
    later = make_person(client=case.client, updated_at=NOW)

    assert clear_what_is_over(NOW + timedelta(days=1)) == 0
    assert clear_what_is_over(NOW + timedelta(days=31)) == 1
    assert read_marks(case) == (NOW, None, None)
    assert read_marks(later) == (NOW + timedelta(days=31), None, None)


def test_batches_leave_out_none_of_many_that_ended_at_the_same_moment() -> None:
    first = CaseFactory.create(status="FAILED", result_status="max_retries")
    CaseFactory.create_batch(6, client=first.client, status="FAILED", result_status="max_retries")
    Keeping.objects.create(client=first.client, agent_days=1)

    assert clear_what_is_over(NOW, batch=2) == 7
    assert Case.objects.filter(agent_cleared_at=NOW).count() == 7


def test_the_command_sets_shows_and_unsets_limits() -> None:
    client = CaseFactory.create().client

    def run(*arguments: str) -> list[str]:
        out = io.StringIO()
        call_command("keep", client.name, *arguments, stdout=out)
        return out.getvalue().splitlines()

    assert run() == ["mail: kept for good", "files: kept for good", "agent: kept for good"]
    assert Keeping.objects.count() == 0
    assert run("--mail-days", "90", "--agent-days", "7")[0] == "mail: 90 days after the end"
    assert run("--agent-days", "0") == ["mail: 90 days after the end", "files: kept for good", "agent: kept for good"]


@pytest.mark.parametrize("days", ["-1", "36501"])
def test_a_limit_that_makes_no_sense_is_refused_and_changes_nothing(days: str) -> None:
    client = CaseFactory.create().client

    with pytest.raises(CommandError, match="mail_days"):
        call_command("keep", client.name, "--mail-days", days)

    assert Keeping.objects.count() == 0


def test_what_was_cleared_is_no_longer_in_the_tables_of_mail() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30, files_days=30, agent_days=30)

    clear_what_is_over(NOW)

    assert "cases_agentrun" not in list_places(NAME)
    assert "agentmail_outboundemail" not in list_places(NAME)
    assert "agentmail_providerevent" not in list_places(NAME)


def test_a_mail_that_comes_after_its_case_was_emptied_is_emptied_in_its_turn() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30)
    clear_what_is_over(NOW)
    make_mail(case)
    InboundEmail.objects.exclude(text="").update(received_at=NOW + timedelta(days=1))

    assert clear_what_is_over(NOW + timedelta(days=31)) == 0
    assert clear_what_is_over(NOW + timedelta(days=31, hours=1)) == 1
    assert clear_what_is_over(NOW + timedelta(days=31, hours=2)) == 0

    assert set(InboundEmail.objects.values_list("text", flat=True)) == {""}
    assert [event.payload for event in ProviderEvent.objects.all()] == [{}, {}]


def test_the_event_that_reported_a_mail_a_second_time_keeps_no_word_of_it() -> None:
    case = make_person()
    Keeping.objects.create(client=case.client, mail_days=30)
    mail = InboundEmail.objects.get()
    again = ProviderEvent.objects.create(
        event_id="again", kind="mail", payload=WORDS, received_at=OPENED_AT, inbox_id=mail.inbox_id,
        message_id=mail.message_id,
    )  # fmt: skip
    other = ProviderEvent.objects.create(
        event_id="other", kind="mail", payload=WORDS, received_at=OPENED_AT, inbox_id=mail.inbox_id, message_id="other"
    )

    clear_what_is_over(NOW)

    again.refresh_from_db()
    other.refresh_from_db()
    assert (again.payload, other.payload) == ({}, WORDS)
