"""An outbound mail from its freezing to its end, on PostgreSQL."""

import json
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from agentmail.models import OutboundEmail, SuppressedAddress
from agentmail.outcomes import MailState, Misconfigured, NotNow, Refused, SendOutcome, Sent, Unknown
from agentmail.services import (
    abandon_mail,
    adopt_mail,
    begin_attempt,
    find_frozen_mail,
    is_known_absent,
    is_known_unsent,
    is_suppressed,
    list_mail,
    may_repeat,
    record_lookup_miss,
    settle_attempt,
    suppress,
)
from tests.agentmail.conftest import INBOX, NOW, OTHER, OWNER, Hooks, freeze, received, send

SENT = Sent("<1@agentmail.to>", "t-1")
MINUTE = timedelta(minutes=1)


def reload(mail: OutboundEmail) -> OutboundEmail:
    return OutboundEmail.objects.get(pk=mail.pk)


@pytest.mark.django_db
def test_a_new_mail_is_frozen_as_the_exact_request() -> None:
    mail = freeze(reference="41")

    assert json.loads(mail.payload) == {
        "to": ["Maya Chen <maya@northwind.example>"],
        "subject": "Your W-9 form",
        "text": "Hello Maya,\n\ncould you send us your W-9?\n\nAda",
        "labels": [f"offload-{mail.id}"],
        "headers": {"Auto-Submitted": "auto-generated"},
    }
    assert mail.idempotency_key == f"offload.main.{mail.id}"
    assert (mail.state, mail.attempts, mail.frozen_at, mail.label) == ("frozen", 0, NOW, f"offload-{mail.id}")
    assert reload(mail).payload == mail.payload


@pytest.mark.django_db
def test_a_reply_names_its_recipient_and_leaves_the_subject_to_the_thread() -> None:
    mail = freeze(reply_to_message_id="<2@northwind.example>")

    assert json.loads(mail.payload) == {
        "to": ["Maya Chen <maya@northwind.example>"],
        "text": "Hello Maya,\n\ncould you send us your W-9?\n\nAda",
        "labels": [mail.label],
        "headers": {"Auto-Submitted": "auto-generated"},
    }


@pytest.mark.django_db
def test_freezing_again_gives_the_first_mail_unchanged() -> None:
    first = freeze(reference="41")

    second = freeze(reference="41", text="Another text", owner=OTHER, now=NOW + MINUTE)

    assert (second.pk, second.payload, second.owner, second.frozen_at) == (first.pk, first.payload, OWNER, NOW)
    assert OutboundEmail.objects.count() == 1
    assert find_frozen_mail("41") == first
    assert find_frozen_mail("42") is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "recipient"),
    [
        ("", "maya@northwind.example"),
        ("Jörg Müller", "Jörg Müller <maya@northwind.example>"),
        ("Chen, Maya", '"Chen, Maya" <maya@northwind.example>'),
        ('M. "May" \\ Chen', '"M. \\"May\\" \\\\ Chen" <maya@northwind.example>'),
        ("Maya\r\nBcc: thief@evil.example", '"Maya Bcc: thief@evil.example" <maya@northwind.example>'),
    ],
)
def test_a_recipients_name_cannot_become_another_recipient(name: str, recipient: str) -> None:
    assert json.loads(freeze(to_name=name).payload)["to"] == [recipient]


@pytest.mark.django_db
def test_what_postgresql_or_a_mail_header_cannot_hold_is_cleaned_before_it_is_frozen() -> None:
    mail = reload(freeze(subject="Your\r\nBcc: x@y.example\x00 form", text="a\x00b\ud800c"))

    assert (mail.subject, mail.text) == ("Your Bcc: x@y.example\ufffd form", "a\ufffdb\ufffdc")
    assert json.loads(mail.payload)["text"] == mail.text


@pytest.mark.django_db
def test_an_installations_name_always_makes_a_valid_key(settings: Any) -> None:
    settings.OFFLOAD_INSTALL_ID = "müller & söhne " * 30

    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,256}", freeze().idempotency_key)


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["inbox_id", "to_address"])
def test_a_mail_without_inbox_or_recipient_is_not_frozen(missing: str) -> None:
    changes: dict[str, Any] = {missing: ""}

    with pytest.raises(ValueError, match=missing):
        freeze(**changes)

    assert OutboundEmail.objects.count() == 0


@pytest.mark.django_db
def test_an_attempt_is_counted_and_dated() -> None:
    mail = freeze()

    begun = begin_attempt(mail.id, NOW + MINUTE)

    assert (begun.state, begun.attempts) == ("sending", 1)
    assert (begun.first_attempt_at, begun.last_attempt_at) == (NOW + MINUTE, NOW + MINUTE)
    assert reload(mail).state == "sending"


@pytest.mark.django_db
def test_an_attempt_that_never_ended_makes_the_mail_unknown_and_keeps_its_first_time() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)

    again = begin_attempt(mail.id, NOW + MINUTE)

    assert (again.state, again.attempts) == ("unknown", 2)
    assert (again.first_attempt_at, again.last_attempt_at) == (NOW, NOW + MINUTE)


@pytest.mark.django_db
def test_a_sent_mail_has_its_ids_and_its_time() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)

    settle_attempt(mail.id, SENT, NOW + MINUTE)

    sent = reload(mail)
    assert (sent.state, sent.message_id, sent.thread_id) == ("sent", "<1@agentmail.to>", "t-1")
    assert (sent.sent_at, sent.last_error) == (NOW + MINUTE, "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("outcome", "state", "last_error"),
    [
        (Refused("validation_error", "no\x00"), "refused", "refused (validation_error): no\ufffd"),
        (NotNow("429", 7.0), "frozen", "not sent yet: 429"),
        (Misconfigured("401"), "frozen", "not sent, configuration: 401"),
        (Unknown("timeout"), "unknown", "unknown whether sent: timeout"),
    ],
)
def test_an_attempt_that_failed_leaves_its_reason(outcome: SendOutcome, state: str, last_error: str) -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)

    settle_attempt(mail.id, outcome, NOW + MINUTE)

    settled = reload(mail)
    assert (settled.state, settled.last_error, settled.message_id, settled.attempts) == (state, last_error, "", 1)


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [NotNow("429"), Misconfigured("401")])
def test_a_repeat_that_was_not_sent_says_nothing_about_the_attempt_before(outcome: SendOutcome) -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, Unknown("timeout"), NOW)
    begin_attempt(mail.id, NOW + MINUTE)

    settled = settle_attempt(mail.id, outcome, NOW + MINUTE)

    assert (settled.state, is_known_unsent(settled)) == ("unknown", False)
    assert settled.first_attempt_at == NOW


@pytest.mark.django_db
@pytest.mark.parametrize("end", [SENT, Refused("x", "y"), None])
def test_a_settled_mail_never_changes(end: SendOutcome | None) -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    if end is None:
        abandon_mail(mail.id, "the case ended", NOW)
    else:
        settle_attempt(mail.id, end, NOW)
    before = vars(reload(mail)) | {"_state": None}

    begin_attempt(mail.id, NOW + MINUTE)
    settle_attempt(mail.id, Refused("late", "no"), NOW + MINUTE)
    settle_attempt(mail.id, Unknown("late"), NOW + MINUTE)
    abandon_mail(mail.id, "late", NOW + MINUTE)

    assert vars(reload(mail)) | {"_state": None} == before


@pytest.mark.django_db
def test_a_mail_that_was_given_up_and_yet_went_out_keeps_its_ids_so_that_an_answer_finds_its_owner(
    hooks: Hooks,
) -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    abandon_mail(mail.id, "absent", NOW)

    settle_attempt(mail.id, SENT, NOW + MINUTE)

    late = reload(mail)
    assert (late.state, late.message_id, late.thread_id) == ("abandoned", "<1@agentmail.to>", "t-1")
    assert hooks.store(received(thread_id="t-1")).owner == OWNER


@pytest.mark.django_db
def test_a_mail_found_by_its_label_counts_as_sent() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, Unknown("timeout"), NOW)

    adopt_mail(mail.id, "<1@agentmail.to>", "t-1", NOW + MINUTE)
    adopt_mail(mail.id, "<2@agentmail.to>", "t-2", NOW + MINUTE)

    adopted = reload(mail)
    assert (adopted.state, adopted.message_id, adopted.sent_at) == ("sent", "<1@agentmail.to>", NOW + MINUTE)


@pytest.mark.django_db
def test_an_abandoned_mail_tells_when_and_why() -> None:
    mail = abandon_mail(freeze().id, "The case ended.", NOW)

    assert (mail.state, mail.last_error) == ("abandoned", "abandoned 2026-11-24 10:00 UTC: The case ended.")


@pytest.mark.django_db
def test_only_a_frozen_or_refused_mail_is_known_unsent() -> None:
    mail = freeze()

    assert [state for state in MailState if is_known_unsent(_in_state(mail, state))] == ["frozen", "refused"]


def _in_state(mail: OutboundEmail, state: MailState) -> OutboundEmail:
    mail.state = state
    return mail


@pytest.mark.django_db
def test_a_mail_may_be_repeated_for_twenty_hours_after_the_first_attempt_that_may_count() -> None:
    mail = freeze()
    assert may_repeat(mail, NOW + timedelta(days=9)) is True
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, Unknown("timeout"), NOW)
    mail = begin_attempt(mail.id, NOW + timedelta(hours=19))

    assert may_repeat(mail, NOW + timedelta(hours=20) - timedelta(seconds=1)) is True
    assert may_repeat(mail, NOW + timedelta(hours=20)) is False


@pytest.mark.django_db
def test_attempts_that_were_surely_not_sent_do_not_use_up_the_twenty_hours() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, NotNow("429"), NOW)
    begin_attempt(mail.id, NOW + timedelta(hours=30))
    mail = settle_attempt(mail.id, Unknown("timeout"), NOW + timedelta(hours=30))

    assert (mail.first_attempt_at, mail.attempts) == (NOW + timedelta(hours=30), 2)
    assert may_repeat(mail, NOW + timedelta(hours=31)) is True


@pytest.mark.django_db
def test_a_settled_mail_may_not_be_repeated() -> None:
    assert may_repeat(send("<1@agentmail.to>", "t-1"), NOW) is False
    assert may_repeat(abandon_mail(freeze().id, "x", NOW), NOW) is False


@pytest.mark.django_db
def test_absence_is_believed_after_three_look_ups_over_a_minute() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, Unknown("timeout"), NOW)
    seconds = [0, 30, 59, 60]

    believed = [
        is_known_absent(record_lookup_miss(mail.id, NOW + timedelta(seconds=second)), NOW + timedelta(seconds=second))
        for second in seconds
    ]

    assert believed == [False, False, False, True]


@pytest.mark.django_db
def test_two_look_ups_an_hour_apart_are_too_few_and_a_further_attempt_starts_them_over() -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    record_lookup_miss(mail.id, NOW)
    later = NOW + timedelta(hours=1)

    assert is_known_absent(record_lookup_miss(mail.id, later), later) is False
    assert is_known_absent(record_lookup_miss(mail.id, later), later) is True
    again = begin_attempt(mail.id, later)
    assert (again.looked_up_at, again.lookup_misses, is_known_absent(again, later)) == (None, 0, False)


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_no_attempt_can_be_begun() -> None:
    mail = freeze()

    with pytest.raises(TransactionManagementError):
        begin_attempt(mail.id, NOW)

    assert reload(mail).state == "frozen"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"state": "lost"},
        {"state": "sent"},
        {"state": "sent", "message_id": "<1@x>", "thread_id": "t"},
        {"state": "sending"},
        {"state": "unknown", "attempts": 1},
        {"message_id": "<1@x>"},
        {"first_attempt_at": NOW},
        {"inbox_id": ""},
        {"to_address": ""},
    ],
)
def test_the_database_refuses_a_mail_that_contradicts_itself(changes: dict[str, Any]) -> None:
    mail = freeze()

    with pytest.raises(IntegrityError), transaction.atomic():
        OutboundEmail.objects.filter(pk=mail.pk).update(**changes)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_freeze_at_once_get_the_same_mail() -> None:
    barrier = threading.Barrier(2)
    found: list[str] = []

    def work(text: str) -> None:
        try:
            with transaction.atomic():
                barrier.wait(10)
                found.append(freeze(reference="41", text=text).payload)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert OutboundEmail.objects.count() == 1
    assert found == [OutboundEmail.objects.get().payload] * 2


@pytest.mark.django_db
def test_a_suppressed_address_is_known_in_any_case_and_keeps_its_first_reason() -> None:
    assert is_suppressed("maya@northwind.example") is False

    suppress(" Maya@Northwind.example", "BOUNCED", "5.1.1", NOW)
    suppress("maya@northwind.example", "COMPLAINED", "", NOW + MINUTE)

    assert is_suppressed("MAYA@northwind.example ") is True
    assert is_suppressed("aya@northwind.example") is False
    assert list(SuppressedAddress.objects.values_list("address", "reason", "detail", "created_at")) == [
        ("maya@northwind.example", "BOUNCED", "5.1.1", NOW)
    ]


@pytest.mark.django_db
def test_an_owners_mail_is_listed_oldest_first_and_nobody_elses(hooks: Hooks) -> None:
    freeze()
    send("<1@agentmail.to>", "t-1")
    send("<9@agentmail.to>", "t-9", owner=OTHER)
    hooks.store(received("<2@northwind.example>", "t-1", timestamp="2026-11-24T10:05:00Z"), NOW + 9 * MINUTE)
    hooks.store(received("<3@northwind.example>", "t-1", timestamp="2026-11-24T10:03:00Z"), NOW + 9 * MINUTE)
    hooks.store(received("<4@northwind.example>", "t-1", timestamp="2036-01-01T00:00:00Z"), NOW + 9 * MINUTE)
    hooks.store(received("<5@northwind.example>", "t-5"))

    mails = list_mail(OWNER)

    assert [(mail.message_id, mail.direction, mail.sent_at) for mail in mails] == [
        ("<1@agentmail.to>", "outbound", NOW),
        ("<3@northwind.example>", "inbound", NOW + 3 * MINUTE),
        ("<2@northwind.example>", "inbound", NOW + 5 * MINUTE),
        ("<4@northwind.example>", "inbound", NOW + 9 * MINUTE),
    ]
    assert (mails[0].text, mails[0].to, mails[0].from_address) == (
        "Hello Maya,\n\ncould you send us your W-9?\n\nAda",
        ("maya@northwind.example",),
        INBOX,
    )


@pytest.mark.django_db
def test_an_answer_that_came_before_we_recorded_the_send_is_listed_after_our_mail(hooks: Hooks) -> None:
    mail = freeze()
    begin_attempt(mail.id, NOW)
    settle_attempt(mail.id, Unknown("timeout"), NOW)
    begin_attempt(mail.id, NOW + 5 * MINUTE)
    settle_attempt(mail.id, SENT, NOW + 5 * MINUTE)

    hooks.store(received("<2@x.example>", "t-1", timestamp="2026-11-24T10:02:00Z"), NOW + 6 * MINUTE)

    assert [mail.message_id for mail in list_mail(OWNER)] == ["<1@agentmail.to>", "<2@x.example>"]


@pytest.mark.django_db
def test_our_own_mail_that_comes_back_is_listed_once(hooks: Hooks) -> None:
    send("<1@agentmail.to>", "t-1")
    hooks.store(received("<1@agentmail.to>", "t-1", **{"from": INBOX}))
    hooks.store(received("<2@agentmail.to>", "t-1", **{"from": INBOX}))

    assert [(mail.message_id, mail.direction) for mail in list_mail(OWNER)] == [
        ("<2@agentmail.to>", "outbound"),
        ("<1@agentmail.to>", "outbound"),
    ]


@pytest.mark.django_db
def test_a_stranger_cannot_hide_a_mail_by_taking_one_of_our_message_ids(hooks: Hooks) -> None:
    send("<1@agentmail.to>", "t-1")
    hooks.store(received("<1@agentmail.to>", "t-1"))

    assert [mail.direction for mail in list_mail(OWNER)] == ["inbound", "outbound"]
