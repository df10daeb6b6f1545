"""Whoever asks not to be written to gets no more mail from that client, in no case of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentmail.models import DeclinedAddress, OutboundEmail
from cases import services
from cases.agent.decisions import FailedRejected, RequiresReply, parse_decision
from cases.handlers.work import work_on_case
from cases.models import Case, CaseEvent, Client
from cases.services import NewCase
from tests.cases.handlers.conftest import DRAFT, EMPTY_THREAD, MAYA, NOW, Desk, accept

pytestmark = pytest.mark.django_db(transaction=True)

STOP = FailedRejected(kind="FAILED_REJECTED", reason="Maya wants no more mail.", asks_not_to_be_written_to=True)


def decline(desk: Desk) -> None:
    desk.receive("Stop writing to me.")
    desk.agent.will(STOP)
    desk.provider.play(EMPTY_THREAD)
    desk.work()


def test_the_case_fails_and_the_address_is_closed_to_this_client(desk: Desk) -> None:
    desk.send_outreach()

    decline(desk)

    assert (desk.read().status, desk.read().result_status) == ("FAILED", "failed_rejected")
    row = DeclinedAddress.objects.get()
    assert (row.address, row.scope, row.detail) == (MAYA, desk.case.client_id, "Maya wants no more mail.")
    assert desk.event("REPLY_RECEIVED").summary == (
        f"The counterparty refused: Maya wants no more mail. {MAYA} gets no more mail from this client."
    )


def test_a_plain_refusal_closes_no_address(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("No, sorry.")
    desk.agent.will(STOP.model_copy(update={"asks_not_to_be_written_to": False}))
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, DeclinedAddress.objects.count()) == ("FAILED", 0)


def test_a_new_case_of_this_client_ends_before_anything_is_written(desk: Desk, new_case: NewCase) -> None:
    desk.send_outreach()
    decline(desk)
    mails = OutboundEmail.objects.count()
    second = services.open_case(
        desk.case.client, replace(new_case, counterparty_address="Maya@NorthStar.example"), now=NOW
    )
    assert second.status == "CREATED"

    work_on_case(second.id, "test", desk.tools)

    second.refresh_from_db()
    assert (second.status, second.result_status) == ("FAILED", "send_failed")
    assert second.failure_reason == "This address has asked not to be written to. (Maya@NorthStar.example)"
    assert (OutboundEmail.objects.count(), len(desk.agent.views)) == (mails, 2)


def test_a_case_of_another_client_goes_on(desk: Desk, new_case: NewCase) -> None:
    desk.send_outreach()
    decline(desk)
    other = services.open_case(Client.objects.create(name="Globex"), new_case, now=NOW)
    desk.agent.will(DRAFT)
    desk.provider.play(accept("<other@offload.example>", "thread-2"))

    work_on_case(other.id, "test", desk.tools)

    other.refresh_from_db()
    assert other.status == "RUNNING"


def test_a_mail_of_another_case_that_is_already_written_does_not_leave(desk: Desk) -> None:
    """The check under the case's lock: the request comes while the agent writes an answer."""
    desk.send_outreach()
    desk.receive("Which entity?")

    def ask_to_stop_meanwhile() -> RequiresReply:
        DeclinedAddress.objects.create(scope=desk.case.client_id, address=MAYA, created_at=NOW)
        return RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")

    desk.agent.will(ask_to_stop_meanwhile)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert len(desk.sends()) == 1
    assert OutboundEmail.objects.get(subject="").state == "abandoned"
    assert (desk.read().status, desk.read().result_status) == ("FAILED", "send_failed")


def test_a_request_that_comes_after_the_end_of_its_case_is_kept_all_the_same(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Stop writing to me.")

    def end_meanwhile() -> FailedRejected:
        services.cancel_case(desk.case.id, by="the test", now=NOW)
        return STOP

    desk.agent.will(end_meanwhile)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().result_status, DeclinedAddress.objects.count()) == ("cancelled", 1)


def test_a_strangers_request_goes_to_a_human_and_closes_no_address(desk: Desk) -> None:
    desk.send_outreach()
    desk.receive("Stop writing to Maya.", **{"from": "Mallory <mallory@elsewhere.example>"})
    desk.agent.will(STOP)
    desk.provider.play(EMPTY_THREAD)

    desk.work()

    assert (desk.read().status, DeclinedAddress.objects.count()) == ("INPUT_NEEDED", 0)


def test_a_second_run_after_a_crash_closes_the_address_once(desk: Desk) -> None:
    desk.send_outreach()
    decline(desk)
    CaseEvent.objects.filter(kind="REPLY_RECEIVED").update(status="ready", finished_at=None)
    Case.objects.update(status="RUNNING", result_status="")

    desk.work()

    assert (desk.read().status, DeclinedAddress.objects.count()) == ("FAILED", 1)


def test_a_decision_that_was_stored_before_the_field_existed_can_be_read() -> None:
    decision = parse_decision({"kind": "FAILED_REJECTED", "reason": "No."})

    assert isinstance(decision, FailedRejected)
    assert decision.asks_not_to_be_written_to is False
