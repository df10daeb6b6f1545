"""Every event is stored once and finds its owner, also when it outruns our own commit."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError

from agentmail.inbound import AttachmentInfo, AutomaticKind, ReportKind, Variant
from agentmail.matching import (
    MatchedReply,
    StoredOutcome,
    lock_thread,
    match_all_waiting,
    match_waiting,
    store_event,
)
from agentmail.models import InboundEmail, OutboundEmail, ProviderEvent, SuppressedAddress
from agentmail.outcomes import Sent
from agentmail.services import begin_attempt, is_suppressed, settle_attempt
from tests.agentmail.conftest import INBOX, NOW, OTHER, OWNER, Hooks, freeze, parse, received, reported, send

DUPLICATE, MATCHED, WAITING, KEPT = (
    StoredOutcome.DUPLICATE,
    StoredOutcome.MATCHED,
    StoredOutcome.WAITING,
    StoredOutcome.KEPT,
)
MINUTE = timedelta(minutes=1)
OURS = "<1@agentmail.to>"


def match_all(hooks: Hooks, now: Any = NOW) -> int:
    return match_all_waiting(now, **hooks.as_arguments())


@pytest.mark.django_db
def test_a_reply_in_a_known_thread_is_handed_over_with_all_that_identifies_it(hooks: Hooks) -> None:
    send(OURS, "t-1")
    event = received(
        "<2@northwind.example>",
        "t-1",
        event_id="evt_1",
        attachments=[{"attachment_id": "a", "filename": "w9.pdf", "content_type": "application/pdf", "size": 5}],
    )

    stored = hooks.store(event)

    mail = InboundEmail.objects.get()
    assert (stored.event_id, stored.outcome, stored.owner, stored.email_id) == ("evt_1", MATCHED, OWNER, mail.pk)
    assert hooks.replies == [
        MatchedReply(
            owner=OWNER,
            email_id=mail.pk,
            inbox_id=INBOX,
            message_id="<2@northwind.example>",
            thread_id="t-1",
            variant=Variant.NONE,
            automatic=AutomaticKind.NONE,
            from_address="maya@northwind.example",
            attachments=(AttachmentInfo("a", "w9.pdf", "application/pdf", 5),),
            received_at=NOW,
        )
    ]
    assert (mail.owner, mail.matched_at, mail.raw_event) == (OWNER, NOW, event)
    assert (mail.subject, mail.text, mail.to) == ("Re: Your W-9 form", "Here it is.", [INBOX])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "ancestors",
    [
        {"in_reply_to": OURS},
        {"in_reply_to": "1@agentmail.to"},
        {"in_reply_to": " <1@agentmail.to> "},
        {"references": ["<0@x.example>", OURS, "<5@northwind.example>"]},
        {"references": "<0@x.example> 1@agentmail.to"},
        {"headers": {"In-Reply-To": OURS}},
    ],
)
def test_a_reply_in_a_thread_of_its_own_is_matched_by_what_it_answers(hooks: Hooks, ancestors: dict[str, Any]) -> None:
    send(OURS, "t-1")

    assert hooks.store(received("<2@northwind.example>", "t-fresh", **ancestors)).owner == OWNER


@pytest.mark.django_db
def test_ids_stored_without_brackets_match_too(hooks: Hooks) -> None:
    send("1@agentmail.to", "t-1")

    assert hooks.store(received("<2@x.example>", "t-fresh", in_reply_to=OURS)).owner == OWNER


@pytest.mark.django_db
def test_a_further_mail_in_a_thread_that_was_matched_by_ancestry_is_matched(hooks: Hooks) -> None:
    send(OURS, "t-1")
    hooks.store(received("<2@northwind.example>", "t-fresh", in_reply_to=OURS))

    assert hooks.store(received("<3@northwind.example>", "t-fresh")).owner == OWNER
    assert hooks.store(received("<4@x.example>", "t-other", in_reply_to="<3@northwind.example>")).owner == OWNER


@pytest.mark.django_db
def test_a_sender_alone_matches_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")

    stored = hooks.store(received("<2@northwind.example>", "t-fresh"))

    assert (stored.outcome, stored.owner, hooks.replies) == (WAITING, None, [])
    assert InboundEmail.objects.get().owner is None


@pytest.mark.django_db
def test_the_thread_decides_before_what_the_mail_claims_to_answer(hooks: Hooks) -> None:
    send(OURS, "t-1")
    send("<9@agentmail.to>", "t-9", owner=OTHER)

    assert hooks.store(received("<2@x.example>", "t-1", in_reply_to="<9@agentmail.to>")).owner == OWNER


@pytest.mark.django_db
def test_the_nearest_ancestor_decides(hooks: Hooks) -> None:
    send(OURS, "t-1")
    send("<9@agentmail.to>", "t-9", owner=OTHER)

    stored = hooks.store(received("<2@x.example>", "t-fresh", references=["<9@agentmail.to>", OURS]))

    assert stored.owner == OWNER


@pytest.mark.django_db
def test_a_message_id_that_two_owners_received_decides_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")
    send("<9@agentmail.to>", "t-9", owner=OTHER)
    hooks.store(received("<same@evil.example>", "t-1"))
    hooks.store(received("<same@evil.example>", "t-9", inbox_id="second@offload.example"))

    assert hooks.store(received("<2@x.example>", "t-fresh", in_reply_to="<same@evil.example>")).owner is None


@pytest.mark.django_db
@pytest.mark.parametrize(("variant", "calls"), [("spam", 0), ("blocked", 0), ("unauthenticated", 1)])
def test_spam_and_blocked_mail_is_stored_but_not_handed_over(hooks: Hooks, variant: str, calls: int) -> None:
    send(OURS, "t-1")

    stored = hooks.store(received(thread_id="t-1", event_type=f"message.received.{variant}"))

    assert (stored.outcome, stored.owner, len(hooks.replies)) == (MATCHED, OWNER, calls)
    assert [reply.variant for reply in hooks.replies] == [variant] * calls
    assert InboundEmail.objects.get().variant == variant


@pytest.mark.django_db
def test_spam_draws_no_other_mail_to_its_owner(hooks: Hooks) -> None:
    send(OURS, "t-1")
    hooks.store(received("<2@evil.example>", "t-spam", in_reply_to=OURS, event_type="message.received.spam"))

    assert hooks.store(received("<3@evil.example>", "t-spam")).owner is None
    assert hooks.store(received("<4@evil.example>", "t-x", in_reply_to="<2@evil.example>")).owner is None


@pytest.mark.django_db
def test_an_automatic_mail_is_handed_over_as_such(hooks: Hooks) -> None:
    send(OURS, "t-1")

    hooks.store(received(thread_id="t-1", headers={"Auto-Submitted": "auto-replied"}))

    assert [reply.automatic for reply in hooks.replies] == [AutomaticKind.AUTOREPLY]


@pytest.mark.django_db
def test_mail_to_an_inbox_that_is_not_ours_is_parked(hooks: Hooks) -> None:
    send(OURS, "t-1")

    stored = hooks.store(received(thread_id="t-7", inbox_id="sales@offload.example"))
    bounce = hooks.store(reported("bounced", "<7@x>", "t-7", inbox_id="sales@offload.example", type="Permanent"))

    assert (stored.outcome, bounce.outcome) == (KEPT, KEPT)
    assert InboundEmail.objects.count() == 0
    assert set(ProviderEvent.objects.values_list("kind", "note")) == {
        ("ignored", "an inbox that Offload does not write from")
    }


@pytest.mark.django_db
def test_our_inbox_is_known_in_any_case_and_by_the_mail_sent_from_it(hooks: Hooks, settings: Any) -> None:
    settings.AGENTMAIL_INBOX_ID = "Agent@Offload.example"
    assert hooks.store(received("<1@x.example>", "t-a")).outcome is WAITING

    settings.AGENTMAIL_INBOX_ID = "renamed@offload.example"
    assert hooks.store(received("<2@x.example>", "t-b")).outcome is KEPT
    freeze()
    assert hooks.store(received("<3@x.example>", "t-c")).outcome is WAITING


@pytest.mark.django_db
def test_an_event_that_is_not_read_is_kept_once(hooks: Hooks) -> None:
    event = {"event_type": "domain.verified", "event_id": "evt_1", "domain": {"name": "x"}}

    assert [hooks.store(event).outcome for _ in range(2)] == [KEPT, DUPLICATE]
    assert ProviderEvent.objects.get().payload == event


@pytest.mark.django_db
def test_everything_json_can_hold_is_stored(hooks: Hooks) -> None:
    send(OURS, "t-1")
    event = received(
        thread_id="t-1",
        subject="a\x00b\ud800",
        text="\udfff\x00" * 3,
        agent_armor={"score": 10**400, "\x00": float("inf"), "deep": _nest(500)},
        headers={"X-\x00": "\ud800"},
    )

    assert hooks.store(event).outcome is MATCHED
    assert InboundEmail.objects.get().subject == "a\ufffdb\ufffd"


def _nest(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.django_db
def test_the_same_event_again_calls_nothing_and_changes_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")
    event = received(thread_id="t-1")

    outcomes = [hooks.store(event, NOW + n * MINUTE).outcome for n in range(3)]

    assert outcomes == [MATCHED, DUPLICATE, DUPLICATE]
    assert len(hooks.replies) == 1
    assert InboundEmail.objects.get().received_at == NOW


@pytest.mark.django_db
def test_the_same_message_under_another_event_calls_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")

    outcomes = [hooks.store(received("<2@x.example>", "t-1", event_id=f"evt_{n}")).outcome for n in range(2)]

    assert outcomes == [MATCHED, DUPLICATE]
    assert len(hooks.replies) == 1
    assert ProviderEvent.objects.filter(note="the message was stored under another event").count() == 1


@pytest.mark.django_db
def test_the_same_bounce_again_calls_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")
    event = reported("bounced", OURS, "t-1", type="Permanent")

    assert [hooks.store(event).outcome for _ in range(2)] == [MATCHED, DUPLICATE]
    assert len(hooks.failures) == 1


def _run_together(*works: Callable[[], object]) -> list[object]:
    """Runs each in a thread and a connection of its own, and gives back what they returned or raised."""
    barrier = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(index: int, work: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            results[index] = work()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("event_ids", [["evt_1"] * 6, [f"evt_{n}" for n in range(6)]])
def test_simultaneous_deliveries_of_a_mail_store_it_once(hooks: Hooks, event_ids: list[str]) -> None:
    send_committed(OURS, "t-1")

    events = [received("<2@x.example>", "t-1", event_id=event_id) for event_id in event_ids]

    results = _run_together(*[partial(_store, hooks, event) for event in events])

    assert sorted(str(result) for result in results) == ["duplicate"] * 5 + ["matched"]
    assert (len(hooks.replies), InboundEmail.objects.count()) == (1, 1)
    assert ProviderEvent.objects.count() == len(set(event_ids))


def _store(hooks: Hooks, event: dict[str, Any]) -> StoredOutcome:
    return hooks.store(event).outcome


def send_committed(message_id: str, thread_id: str) -> OutboundEmail:
    with transaction.atomic():
        return send(message_id, thread_id)


@pytest.mark.django_db(transaction=True)
def test_a_reply_that_comes_before_our_commit_is_handed_over_by_it(hooks: Hooks) -> None:
    mail = freeze()
    assert hooks.store(received("<2@x.example>", "t-1")).outcome is WAITING
    assert hooks.store(received("<3@x.example>", "t-fresh", in_reply_to="1@agentmail.to")).outcome is WAITING
    assert hooks.store(received("<4@x.example>", "t-4")).outcome is WAITING

    with transaction.atomic():
        begin_attempt(mail.id, NOW)
        settle_attempt(mail.id, Sent(OURS, "t-1"), NOW)
        matched = match_waiting("t-1", OWNER, NOW + MINUTE, **hooks.as_arguments())

    assert matched == 2
    assert [reply.message_id for reply in hooks.replies] == ["<2@x.example>", "<3@x.example>"]
    assert InboundEmail.objects.get(message_id="<2@x.example>").matched_at == NOW + MINUTE
    assert InboundEmail.objects.get(message_id="<4@x.example>").owner is None


@pytest.mark.django_db
def test_a_report_without_a_thread_is_not_taken_for_one_of_a_mail_without_a_thread(hooks: Hooks) -> None:
    hooks.store(reported("bounced", "<7@x.example>", "", type="Permanent"))

    with pytest.raises(ValueError, match="thread"):
        match_waiting("", OWNER, NOW, **hooks.as_arguments())

    assert hooks.failures == []


@pytest.mark.django_db(transaction=True)
def test_a_webhook_and_the_commit_it_outran_never_miss_each_other(hooks: Hooks) -> None:
    def finish(mail: OutboundEmail, thread_id: str) -> int:
        with transaction.atomic():
            begin_attempt(mail.id, NOW)
            lock_thread(thread_id)
            settle_attempt(mail.id, Sent(f"<{thread_id}@agentmail.to>", thread_id), NOW)
            return match_waiting(thread_id, OWNER, NOW, **hooks.as_arguments())

    for number in range(15):
        thread_id = f"t-{number}"
        mail = freeze()
        event = received(f"<r{number}@x.example>", thread_id)
        _run_together(partial(finish, mail, thread_id), partial(hooks.store, event))

    assert sorted(reply.thread_id for reply in hooks.replies) == sorted(f"t-{n}" for n in range(15))


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_is_held_keeps_a_webhook_waiting_until_its_id_is_stored(hooks: Hooks) -> None:
    mail = freeze()
    stored: list[object] = []
    webhook = threading.Thread(
        target=lambda: stored.extend(_run_together(lambda: hooks.store(received(thread_id="t-1"))))
    )

    with transaction.atomic():
        lock_thread("t-1")
        webhook.start()
        _await_lock_waiters(1)
        assert stored == []
        begin_attempt(mail.id, NOW)
        settle_attempt(mail.id, Sent(OURS, "t-1"), NOW)
    webhook.join(10)

    assert [result.outcome for result in stored] == [MATCHED]  # type: ignore[attr-defined]


def _await_lock_waiters(count: int) -> None:
    """Returns once so many sessions wait for an advisory lock; asks the database, which has no event to await."""
    for _ in range(2000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            if cursor.fetchone()[0] >= count:
                return
    raise AssertionError("nobody waits")


def test_a_thread_cannot_be_held_outside_of_a_transaction(transactional_db: None) -> None:
    with pytest.raises(TransactionManagementError):
        lock_thread("t-1")


@pytest.mark.django_db(transaction=True)
def test_the_pass_finds_what_no_commit_found_and_nothing_twice(hooks: Hooks) -> None:
    hooks.store(received("<2@x.example>", "t-fresh", references=["<0@x>", OURS, "<1@x>"]))
    hooks.store(received("<3@x.example>", "t-1"))
    hooks.store(received("<4@x.example>", "t-4"))
    hooks.store(reported("bounced", OURS, "t-b", type="Permanent"))
    assert match_all(hooks) == 0
    send_committed(OURS, "t-1")

    assert [match_all(hooks), match_all(hooks)] == [3, 0]
    assert sorted(reply.message_id for reply in hooks.replies) == ["<2@x.example>", "<3@x.example>"]
    assert [failure.kind for failure in hooks.failures] == [ReportKind.BOUNCED]
    assert InboundEmail.objects.get(owner=None).message_id == "<4@x.example>"


@pytest.mark.django_db(transaction=True)
def test_two_passes_at_once_hand_nothing_over_twice(hooks: Hooks) -> None:
    for number in range(10):
        hooks.store(received(f"<r{number}@x.example>", "t-1"))
    send_committed(OURS, "t-1")

    results = _run_together(*[lambda: match_all(hooks)] * 3)

    assert sum(int(str(result)) for result in results) == 10
    assert len({reply.message_id for reply in hooks.replies}) == len(hooks.replies) == 10


@pytest.mark.django_db(transaction=True)
def test_what_the_pass_is_handing_over_is_left_to_it_and_nobody_waits_for_anybody(hooks: Hooks) -> None:
    hooks.store(received("<2@x.example>", "t-fresh", in_reply_to=OURS))
    send_committed(OURS, "t-1")
    handing_over, go_on = threading.Event(), threading.Event()

    def hand_over_slowly(reply: MatchedReply) -> None:
        handing_over.set()
        assert go_on.wait(10)
        hooks.replies.append(reply)

    slow_pass = threading.Thread(
        target=_run_together,
        args=(lambda: match_all_waiting(NOW, on_reply=hand_over_slowly, on_delivery_failure=hooks.failures.append),),
    )
    slow_pass.start()
    assert handing_over.wait(10)
    with transaction.atomic():
        matched = match_waiting("t-1", OWNER, NOW, **hooks.as_arguments())
    go_on.set()
    slow_pass.join(10)

    assert (matched, [reply.message_id for reply in hooks.replies]) == (0, ["<2@x.example>"])


@pytest.mark.django_db(transaction=True)
def test_after_three_days_a_mail_no_longer_waits_but_stays(hooks: Hooks) -> None:
    hooks.store(received("<2@x.example>", "t-1"), NOW)
    send_committed(OURS, "t-1")

    assert match_all(hooks, NOW + timedelta(days=3, seconds=1)) == 0
    assert InboundEmail.objects.get().owner is None
    assert match_all(hooks, NOW + timedelta(days=3)) == 1


@pytest.mark.django_db(transaction=True)
def test_many_mails_that_match_nothing_cost_a_few_queries_and_no_transaction_each(
    hooks: Hooks, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        hooks.store(received(f"<{number}@x.example>", f"t-{number}"))

    with django_assert_max_num_queries(8):
        assert match_all(hooks) == 0


@pytest.mark.django_db(transaction=True)
def test_the_pass_is_refused_inside_a_transaction(hooks: Hooks) -> None:
    hooks.store(received("<2@x.example>", "t-1"))
    send_committed(OURS, "t-1")

    with pytest.raises(RuntimeError), transaction.atomic():
        match_all(hooks)

    assert hooks.replies == []


@pytest.mark.django_db(transaction=True)
def test_a_hook_that_raises_leaves_the_mail_waiting_and_undoes_what_it_did(hooks: Hooks) -> None:
    send_committed(OURS, "t-1")

    def break_halfway(_matched: object) -> None:
        SuppressedAddress.objects.create(address="half@done.example", reason="x", created_at=NOW)
        raise ZeroDivisionError

    stored = store_event(
        parse(received("<2@x.example>", "t-1")), now=NOW, on_reply=break_halfway, on_delivery_failure=break_halfway
    )

    assert (stored.outcome, SuppressedAddress.objects.count()) == (WAITING, 0)
    assert (InboundEmail.objects.get().owner, ProviderEvent.objects.count()) == (None, 1)
    assert match_all(hooks) == 1
    assert InboundEmail.objects.get().owner == OWNER


@pytest.mark.django_db(transaction=True)
def test_a_database_fault_in_a_hook_undoes_everything_so_that_the_event_comes_again(hooks: Hooks) -> None:
    send_committed(OURS, "t-1")
    event = parse(received("<2@x.example>", "t-1"))

    def fail(_matched: object) -> None:
        raise DatabaseError("deadlock detected")

    with pytest.raises(DatabaseError), transaction.atomic():
        store_event(event, now=NOW, on_reply=fail, on_delivery_failure=fail)

    assert (InboundEmail.objects.count(), ProviderEvent.objects.count()) == (0, 0)
    assert store_event(event, now=NOW, **hooks.as_arguments()).outcome is MATCHED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("bounced", {"type": "Permanent", "recipients": [{"address": "Maya@Northwind.example", "status": "5.1.1"}]}),
        ("bounced", {"type": "Undetermined", "recipients": []}),
        ("complained", {"type": "abuse", "recipients": ["maya@northwind.example"]}),
        ("rejected", {"reason": "Bad content"}),
    ],
)
def test_a_failed_delivery_is_handed_over_and_its_address_gets_no_more_mail(
    hooks: Hooks, kind: str, members: dict[str, Any]
) -> None:
    send(OURS, "t-1")
    event = reported(kind, OURS, "t-1", **members)

    stored = hooks.store(event)

    assert (stored.outcome, stored.owner) == (MATCHED, OWNER)
    (failure,) = hooks.failures
    assert (failure.owner, failure.event_id, failure.kind) == (OWNER, event["event_id"], kind.upper())
    assert failure.addresses == ("maya@northwind.example",)
    assert failure.at == NOW - MINUTE
    assert SuppressedAddress.objects.get().reason == kind.upper()
    assert is_suppressed("maya@northwind.example") is True
    row = ProviderEvent.objects.get()
    assert (row.owner, row.matched_at, row.report_kind) == (OWNER, NOW, kind.upper())


@pytest.mark.django_db
def test_a_transient_bounce_is_stored_and_matched_and_changes_nothing(hooks: Hooks) -> None:
    send(OURS, "t-1")

    stored = hooks.store(reported("bounced", OURS, "t-1", type="Transient", recipients=["maya@northwind.example"]))

    assert (stored.outcome, stored.owner, hooks.failures) == (MATCHED, OWNER, [])
    assert is_suppressed("maya@northwind.example") is False


@pytest.mark.django_db
def test_a_report_is_matched_by_its_message_alone(hooks: Hooks) -> None:
    send(OURS, "t-1")

    assert hooks.store(reported("bounced", "1@agentmail.to", "", type="Permanent")).owner == OWNER


@pytest.mark.django_db
def test_a_report_suppresses_the_address_that_the_mail_went_to_and_no_other_that_it_names(hooks: Hooks) -> None:
    send(OURS, "t-1")

    hooks.store(reported("bounced", OURS, "t-1", type="Permanent", recipients=["boss@other.example"]))

    assert [failure.addresses for failure in hooks.failures] == [("boss@other.example",)]
    assert [row.address for row in SuppressedAddress.objects.all()] == ["maya@northwind.example"]


@pytest.mark.django_db
def test_a_report_about_somebody_elses_mail_in_our_thread_is_not_ours(hooks: Hooks) -> None:
    send(OURS, "t-1")

    stored = hooks.store(
        reported("bounced", "<by-hand@agentmail.to>", "t-1", type="Permanent", recipients=["boss@other.example"])
    )

    assert (stored.owner, hooks.failures, SuppressedAddress.objects.count()) == (OWNER, [], 0)


@pytest.mark.django_db
def test_a_report_about_a_mail_of_ours_whose_ids_are_not_stored_yet_is_ours_by_its_address(hooks: Hooks) -> None:
    send(OURS, "t-1")
    freeze(reply_to_message_id=OURS)

    hooks.store(reported("bounced", "<3@agentmail.to>", "t-1", type="Permanent", recipients=["maya@northwind.example"]))

    assert [failure.addresses for failure in hooks.failures] == [("maya@northwind.example",)]


@pytest.mark.django_db(transaction=True)
def test_a_bounce_that_comes_before_our_commit_is_handed_over_by_it(hooks: Hooks) -> None:
    mail = freeze()
    assert hooks.store(reported("bounced", OURS, "t-1", type="Permanent")).outcome is WAITING
    assert is_suppressed("maya@northwind.example") is False

    with transaction.atomic():
        begin_attempt(mail.id, NOW)
        settle_attempt(mail.id, Sent(OURS, "t-1"), NOW)
        assert match_waiting("t-1", OWNER, NOW, **hooks.as_arguments()) == 1

    assert [failure.addresses for failure in hooks.failures] == [("maya@northwind.example",)]
    assert is_suppressed("maya@northwind.example") is True
