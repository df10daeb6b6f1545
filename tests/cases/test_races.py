"""Two who want the same at the same instant, on real connections; every order is played, and each has a legal end."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from agentmail.client import AgentMailClient
from agentmail.inbound import parse_event
from agentmail.matching import StoredOutcome, store_event
from agentmail.models import InboundEmail, ProviderEvent
from cases import ledger, services
from cases.agent.decisions import InputNeeded
from cases.handlers.tools import Tools
from cases.ledger import Claim, LeaseLost
from cases.models import Case, CaseEvent, Client
from cases.services import CaseAlreadyFinished, CaseNotWaiting, InputRequestNotPending
from cases.transitions import lock_case
from cases.workflow import EventKind
from tests.agentmail.provider import Conversation, Provider
from tests.cases.handlers.conftest import DRAFT, INBOX, MAYA, Desk, ScriptedAgent, accept
from tests.cases.parallel import LONGEST_WAIT_S, Call, background, in_line, in_parallel, wait_until_blocked
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
OUTREACH = "<out-1@offload.example>"


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    server.close()


@pytest.fixture
def desk(provider: Provider) -> Desk:
    new = services.NewCase(
        objective="Collect a signed W-9 from Maya",
        counterparty_address=MAYA,
        counterparty_name="Maya Lindqvist",
        persona_name="Ana Reyes",
        client_webhook_url="https://app.example/hook",
    )
    case = services.open_case(Client.objects.create(name="Acme"), new, now=NOW)
    agent, clock = ScriptedAgent(), [NOW]
    tools = Tools(agent=agent, mail=AgentMailClient(provider.url, "am_test"), read_clock=lambda: clock[0])
    return Desk(case, agent, provider, clock, tools)


def ask_question(desk: Desk) -> str:
    """Brings the case to INPUT_NEEDED before its outreach; returns the question's id."""
    desk.agent.will(InputNeeded(kind="INPUT_NEEDED", question="Which year?"))
    desk.work()
    return str(desk.case.input_requests.get().id)


def answer(desk: Desk, question: str, text: str = "2026") -> Call:
    return lambda: services.answer_input_request(desk.case.id, question, text, answered_by="sam", now=NOW)


def cancel(desk: Desk) -> Call:
    return lambda: services.cancel_case(desk.case.id, by="sam", now=NOW)


def hear(event_type: str, event_id: str, content: dict[str, Any]) -> Call:
    """The provider's webhook, as one delivery of it is stored."""
    name = {"message.received": "message", "message.bounced": "bounce"}[event_type]
    values = {"inbox_id": INBOX, "thread_id": "thread-1", "timestamp": NOW.isoformat()} | content
    event = {"type": "event", "event_type": event_type, "event_id": event_id, name: values}
    return lambda: store_event(
        parse_event(json.dumps(event).encode(), f"svix_{event_id}"),
        now=NOW,
        on_reply=services.record_reply,
        on_delivery_failure=services.record_delivery_failure,
    )


def reply(event_id: str = "evt-1", message_id: str = "<in-1@northstar.example>") -> Call:
    return hear(
        "message.received",
        event_id,
        {
            "message_id": message_id,
            "from": f"Maya Lindqvist <{MAYA}>",
            "to": [INBOX],
            "subject": "Re: Signed W-9",
            "text": "Here it is.",
            "labels": ["received"],
            "attachments": [],
            "headers": {},
        },
    )


def bounce() -> Call:
    return hear("message.bounced", "evt-bounce", {"message_id": OUTREACH, "type": "Permanent", "recipients": []})


def lock(desk: Desk) -> Call:
    return lambda: lock_case(desk.case.id)


def lock_event(event_id: int) -> Call:
    return lambda: CaseEvent.objects.select_for_update().get(pk=event_id)


def notices(desk: Desk) -> list[str]:
    return sorted(Delivery.objects.filter(owner=desk.case.id).values_list("event_type", flat=True))


# -- Workers


def test_two_workers_at_one_event_send_one_mail(desk: Desk) -> None:
    desk.agent.will(DRAFT)
    desk.provider.play(accept(OUTREACH))

    taken = in_parallel(desk.work, desk.work)

    assert sorted(map(str, taken)) == ["0", "1"]
    assert len(desk.sends()) == 1
    case = desk.read()
    assert (case.status, case.attempt_count) == ("RUNNING", 1)


def expire(case: Case) -> Claim:
    """A worker's claim whose lease has run out and which nobody has taken back yet."""
    claimed = ledger.claim(case.id, "slow")
    assert claimed is not None
    CaseEvent.objects.filter(pk=claimed.event_id).update(lease_until=NOW - timedelta(days=1))
    return claimed


def finish_with_effect(claimed: Claim) -> Call:
    def act() -> None:
        with transaction.atomic():
            ledger.fence(claimed)
            Case.objects.filter(pk=claimed.case_id).update(objective="done by the slow one")
            ledger.finish(claimed, "late")

    return act


def test_a_slow_worker_that_finishes_just_before_its_lease_is_taken_back_keeps_its_work(desk: Desk) -> None:
    slow = expire(desk.case)

    finished, claimed = in_line(
        lock_event(slow.event_id), finish_with_effect(slow), lambda: ledger.claim(desk.case.id, "fast")
    )

    event = CaseEvent.objects.get()
    assert (finished, claimed) == (None, None)
    assert (event.status, event.attempt, event.failures) == ("done", 1, 0)
    assert desk.read().objective == "done by the slow one"


def test_a_slow_worker_that_finishes_just_after_its_lease_was_taken_back_stores_nothing(desk: Desk) -> None:
    slow = expire(desk.case)

    claimed, finished = in_line(
        lock_event(slow.event_id), lambda: ledger.claim(desk.case.id, "fast"), finish_with_effect(slow)
    )

    event = CaseEvent.objects.get()
    assert isinstance(claimed, Claim)
    assert isinstance(finished, LeaseLost)
    assert (event.status, event.attempt, event.failures, event.leased_by) == ("running", 2, 1, "fast")
    assert desk.read().objective == "Collect a signed W-9 from Maya"


def test_ten_workers_at_a_lease_that_ran_out_count_one_crash(desk: Desk) -> None:
    expire(desk.case)

    claims = in_parallel(*[lambda: ledger.claim(desk.case.id, "w")] * 10)

    assert [type(one) for one in claims if one is not None] == [Claim]
    event = CaseEvent.objects.get()
    assert (event.attempt, event.failures) == (2, 1)


# -- The order of a case's events


def test_of_two_that_record_at_once_the_second_waits_so_that_ids_stand_in_the_order_of_commits(desk: Desk) -> None:
    def record(key: str) -> Any:
        return ledger.record(case_id=desk.case.id, kind=EventKind.REPLY_RECEIVED, key=key, payload={})

    with background() as begin, transaction.atomic():
        first = record("reply:first")
        second = begin(lambda: record("reply:second"))
        wait_until_blocked(1)
        assert not second.done()

    assert CaseEvent.objects.get(key="reply:second").id > first.event_id


def test_what_is_recorded_while_its_head_is_put_off_does_not_wait_behind_it(desk: Desk) -> None:
    """The recorder saw a head that runs, the worker saw nothing behind it: one of them has to wait for the other."""
    claimed = ledger.claim(desk.case.id, "w")
    assert claimed is not None

    with background() as begin:
        with transaction.atomic():
            ledger.record(case_id=desk.case.id, kind=EventKind.REPLY_RECEIVED, key="reply:1", payload={})
            put_off = begin(lambda: ledger.postpone(claimed, "The model is busy.", 3600))
            wait_until_blocked(1)
        assert put_off.result() is None

    head = CaseEvent.objects.get(pk=claimed.event_id)
    assert head.status == "ready"
    assert head.run_after - claimed.claimed_at < timedelta(seconds=60)


# -- People, clients and mail


@pytest.mark.parametrize("order", list(itertools.permutations(["answer", "cancel", "reply"])), ids=" ".join)
def test_an_answer_a_cancel_and_a_reply_at_once_end_legally_in_every_order(desk: Desk, order: tuple[str, ...]) -> None:
    desk.send_outreach()
    desk.receive("Which year do you mean?")
    desk.agent.will(InputNeeded(kind="INPUT_NEEDED", question="Which year?"))
    desk.work()
    question = str(desk.case.input_requests.get().id)
    calls = {"answer": answer(desk, question), "cancel": cancel(desk), "reply": reply()}

    results = dict(zip(order, in_line(lock(desk), *[calls[name] for name in order]), strict=True))

    case = desk.read()
    assert (case.status, case.result_status) == ("FAILED", "cancelled")
    assert isinstance(results["answer"], CaseNotWaiting) == (order.index("answer") > order.index("cancel"))
    assert results["reply"].outcome is StoredOutcome.MATCHED  # type: ignore[attr-defined]
    assert case.input_requests.get().status == "RESOLVED"
    assert notices(desk) == ["case.failed", "case.input_needed"]
    sent = len(desk.sends())
    desk.work()
    assert not CaseEvent.objects.exclude(status="done").exists()
    assert (len(desk.sends()), desk.read().status, notices(desk)[0]) == (sent, "FAILED", "case.failed")


def test_of_two_answers_at_once_exactly_one_is_taken(desk: Desk) -> None:
    question = ask_question(desk)

    first, second = in_line(lock(desk), answer(desk, question, "2025"), answer(desk, question, "2026"))

    assert not isinstance(first, Exception)
    assert isinstance(second, InputRequestNotPending)
    assert desk.case.input_requests.get().answer == "2025"
    assert CaseEvent.objects.filter(kind="INPUT_PROVIDED").count() == 1


def test_of_ten_answers_at_once_exactly_one_is_taken(desk: Desk) -> None:
    question = ask_question(desk)

    results = in_parallel(*[answer(desk, question, str(year)) for year in range(2010, 2020)])

    assert [type(one) for one in results].count(InputRequestNotPending) == 9
    assert CaseEvent.objects.filter(kind="INPUT_PROVIDED").count() == 1


def test_ten_cancels_at_once_tell_the_client_once(desk: Desk) -> None:
    results = in_parallel(*[cancel(desk)] * 10)

    assert all(isinstance(one, Case) for one in results)
    assert notices(desk) == ["case.failed"]
    assert CaseEvent.objects.filter(kind="CASE_CANCELLED").count() == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["cancel", "bounce", "commit"])), ids=" ".join)
def test_a_cancel_a_bounce_and_our_commit_of_what_was_sent_end_legally_in_every_order(
    desk: Desk, order: tuple[str, ...]
) -> None:
    """A bounce that comes before our commit belongs to nobody yet, and is heard within it."""
    calls = {"cancel": cancel(desk), "bounce": bounce()}
    place = order.index("commit")

    results = play_around_commit(desk, [calls[n] for n in order[:place]], [calls[n] for n in order[place + 1 :]])

    case = desk.read()
    assert [one for one in results if isinstance(one, Exception) and not isinstance(one, CaseAlreadyFinished)] == []
    # With our commit first, the two others wait at different locks, and either may win.
    ends = {"cancel": ["cancelled"], "bounce": ["BOUNCED"], "commit": ["cancelled", "BOUNCED"]}
    assert case.result_status in ends["cancel" if place == 2 else order[0]]
    assert (case.status, case.attempt_count, case.next_action_at, len(desk.sends())) == ("FAILED", 1, None, 1)
    assert notices(desk) == ["case.failed"]
    reports = CaseEvent.objects.filter(kind="DELIVERY_FAILED").values_list("status", flat=True)
    assert list(reports) == ["done"]


def play_around_commit(desk: Desk, before: list[Call], after: list[Call]) -> list[object]:
    """Has the mail fly while `before` happens; then our commit waits in line at the case, and `after` behind it."""
    flies, may_land = threading.Event(), threading.Event()

    def take(conversation: Conversation) -> None:
        flies.set()
        may_land.wait(LONGEST_WAIT_S)
        accept(OUTREACH)(conversation)

    desk.agent.will(DRAFT)
    desk.provider.play(take)
    with background() as begin:
        worker = begin(desk.work)
        assert flies.wait(LONGEST_WAIT_S)
        results = [call() for call in before]
        with transaction.atomic():
            lock_case(desk.case.id)
            may_land.set()
            wait_until_blocked(1)
            waiting = []
            for number, call in enumerate(after, 2):
                waiting.append(begin(call))
                wait_until_blocked(number)
    return [*results, worker.result(), *[future.result() for future in waiting]]


def test_a_mail_that_the_webhook_reports_ten_times_at_once_is_one_event(desk: Desk) -> None:
    desk.send_outreach()

    stored = in_parallel(*[reply()] * 10)

    assert sorted(one.outcome for one in stored) == ["duplicate"] * 9 + ["matched"]  # type: ignore[attr-defined]
    assert InboundEmail.objects.count() == ProviderEvent.objects.count() == 1
    assert CaseEvent.objects.filter(kind="REPLY_RECEIVED").count() == 1


def test_a_mail_that_arrives_under_ten_event_ids_at_once_is_one_event(desk: Desk) -> None:
    desk.send_outreach()

    stored = in_parallel(*[reply(f"evt-{number}") for number in range(10)])

    assert sorted(one.outcome for one in stored) == ["duplicate"] * 9 + ["matched"]  # type: ignore[attr-defined]
    assert (InboundEmail.objects.count(), ProviderEvent.objects.count()) == (1, 10)
    assert CaseEvent.objects.filter(kind="REPLY_RECEIVED").count() == 1


# -- Dead events


def kill(desk: Desk) -> CaseEvent:
    CaseEvent.objects.update(status="dead", failures=5, last_error="ValueError: no", finished_at=NOW)
    return CaseEvent.objects.get()


def test_an_event_that_is_put_back_just_before_it_is_given_up_is_not_given_up(desk: Desk) -> None:
    event = kill(desk)

    put_back, given_up = in_line(
        lock_event(event.id),
        lambda: services.requeue_event(event.id),
        lambda: services.give_up_event(event.id, by="Offload", now=NOW),
    )

    event.refresh_from_db()
    assert (put_back, given_up) == (True, False)
    assert (event.status, desk.read().status, notices(desk)) == ("ready", "CREATED", [])


def test_an_event_that_is_given_up_just_before_it_is_put_back_does_nothing_any_more(desk: Desk) -> None:
    event = kill(desk)

    given_up, _ = in_line(
        lock_event(event.id),
        lambda: services.give_up_event(event.id, by="Offload", now=NOW),
        lambda: services.requeue_event(event.id),
    )
    desk.work()

    assert given_up is True
    assert (desk.read().result_status, notices(desk), desk.sends()) == ("send_failed", ["case.failed"], [])


def test_two_who_give_up_one_event_tell_the_client_once(desk: Desk) -> None:
    event = kill(desk)

    given_up = in_parallel(*[lambda: services.give_up_event(event.id, by="sam", now=NOW)] * 4)

    assert sorted(map(str, given_up)) == ["False", "False", "False", "True"]
    assert notices(desk) == ["case.failed"]


def test_an_event_that_four_put_back_at_once_is_put_back_once(desk: Desk) -> None:
    event = kill(desk)

    put_back = in_parallel(*[lambda: services.requeue_event(event.id)] * 4)

    assert sorted(map(str, put_back)) == ["False", "False", "False", "True"]
