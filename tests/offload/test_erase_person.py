"""A person is gone from every table, what happened stays, and nobody else loses a word."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from agentmail.models import DeclinedAddress, ErasedAddress, InboundEmail, OutboundEmail, ProviderEvent
from agentmail.sandbox.models import Inbox, Message, Thread
from agentmail.suppression import Closure, decline, find_closure, is_suppressed
from cases import ledger
from cases.models import AgentRun, Attachment, Case, CaseEvent, InputRequest
from cases.notes import CaseNote
from cases.workflow import EventKind
from offload.forgetting import columns
from tests.cases.factories import OPENED_AT, CaseFactory
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.receiver.models import ReceivedWebhook

pytestmark = pytest.mark.django_db
NAME = "Maya Quillfeather"
ADDRESS = "maya.q@vendor.example"
# Everything the person is known by, as it stands in running text and in JSON.
CANARY = f"{NAME} <{ADDRESS}>\nMAYA.Q@Vendor.Example maya.q%40vendor.example"
WORDS = {"said": CANARY, "list": [CANARY]}
ENDED = {"status": "COMPLETED", "result_status": "goal_achieved"}


def make_person(**values: Any) -> Case:
    """A case with a canary in every place that a case's life writes words to."""
    case = CaseFactory.create(
        counterparty_name=NAME,
        counterparty_address=ADDRESS.capitalize(),
        counterparty_company=CANARY,
        counterparty_custom_data=WORDS,
        objective=CANARY,
        knowledge=WORDS,
        constraints=[CANARY],
        metadata=WORDS,
        result=WORDS,
        failure_reason=CANARY,
        thread_id="thread",
        **(ENDED | values),
    )
    InputRequest.objects.create(
        case=case, question=CANARY, answer=CANARY, status="RESOLVED", requested_at=OPENED_AT, resolved_at=OPENED_AT
    )
    Attachment.objects.create(
        case=case,
        attachment_id="a",
        name=CANARY,
        size=7,
        type="pdf",
        message_id="m",
        inbox_id="i",
        received_at=OPENED_AT,
    )
    event_id = ledger.record(
        case_id=case.id, kind=EventKind.REPLY_RECEIVED, key=f"reply:{uuid4()}:{ADDRESS}", payload=WORDS, summary=CANARY
    ).event_id
    CaseEvent.objects.filter(id=event_id).update(status="done", finished_at=OPENED_AT, last_error=CANARY)
    AgentRun.objects.create(
        case=case,
        event_id=event_id,
        operation="evaluate",
        decision=WORDS,
        rationale=CANARY,
        implementation="model",
        tokens_in=12,
        reasks=[CANARY],
        guard_hits=[CANARY],
        created_at=OPENED_AT,
    )
    CaseNote.objects.create(case=case, author="sam", body=CANARY, created_at=OPENED_AT)
    make_mail(case)
    make_webhook(case)
    LogEntry.objects.create(
        user=User.objects.create(username=f"staff-{uuid4()}"),
        content_type=ContentType.objects.get_for_model(Case),
        object_id=str(case.id),
        object_repr=CANARY[:200],
        action_flag=CHANGE,
        change_message=CANARY,
    )
    return case


def make_mail(case: Case) -> None:
    OutboundEmail.objects.create(
        owner=case.id,
        reference=str(uuid4()),
        inbox_id="agent@offload.example",
        to_address=ADDRESS,
        subject=CANARY,
        text=CANARY,
        payload=json.dumps(WORDS),
        idempotency_key=str(uuid4()),
        label=str(uuid4()),
        state="sent",
        message_id=str(uuid4()),
        thread_id="thread",
        sent_at=OPENED_AT,
        frozen_at=OPENED_AT,
    )
    event = ProviderEvent.objects.create(
        event_id=str(uuid4()), kind="mail", payload=WORDS, received_at=OPENED_AT, owner=case.id, matched_at=OPENED_AT
    )
    InboundEmail.objects.create(
        event=event,
        owner=case.id,
        matched_at=OPENED_AT,
        received_at=OPENED_AT,
        inbox_id="agent@offload.example",
        message_id=str(uuid4()),
        thread_id="thread",
        from_address=ADDRESS,
        from_name=NAME,
        to=[CANARY],
        subject=CANARY,
        text=CANARY,
        html=CANARY,
        extracted_text=CANARY,
        headers=WORDS,
        attachments=[WORDS],
    )


def make_webhook(case: Case) -> None:
    data = {"caseId": str(case.id), "status": "COMPLETED", "result": WORDS, "metadata": WORDS}
    delivery = Delivery.objects.create(
        owner=case.id,
        event_id=str(uuid4()),
        event_type="case.completed",
        url=f"https://client.example/hook?person={ADDRESS}",
        body=json.dumps({"event_id": "evt", "event_type": "case.completed", "timestamp": 1, "data": data}),
        state="failed",
        created_at=OPENED_AT,
        finished_at=OPENED_AT,
        last_error=CANARY,
    )
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=OPENED_AT,
        finished_at=OPENED_AT,
        outcome="failed",
        first_bytes=CANARY,
        error=CANARY,
    )


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("erase_person", *arguments, stdout=out)
    return out.getvalue().splitlines()


def list_places(words: str) -> list[str]:
    """Returns where the words stand, by an own way of looking: each row of each table as text."""
    with connection.cursor() as cursor:
        tables = [table for table in connection.introspection.table_names(cursor) if table != "auth_user"]
        found = []
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}" held WHERE held::text ILIKE %s', [f"%{words}%"])
            if cursor.fetchone()[0]:
                found.append(table)
        return found


def test_nothing_of_the_person_is_left_in_any_table() -> None:
    make_person()
    before = list_places(NAME)
    assert len(before) >= 11

    said = run(ADDRESS.upper())

    assert list_places(NAME) == []
    assert list_places(ADDRESS) == []
    assert list_places("maya.q%40") == []
    assert said[0] == "1 cases, 0 of them cancelled first"
    assert said[-1] == "The address is in no column of the database."


def test_a_mail_that_belongs_to_no_case_or_was_reported_twice_keeps_no_word() -> None:
    make_person()
    mail = InboundEmail.objects.get()
    values: dict[str, Any] = {"kind": "mail", "received_at": OPENED_AT, "inbox_id": mail.inbox_id}
    ProviderEvent.objects.create(event_id="again", message_id=mail.message_id, payload=WORDS, **values)
    parked = {"message": {"from": f"{NAME} <{ADDRESS}>", "text": f"{NAME} here"}}
    ProviderEvent.objects.create(event_id="parked", message_id="parked", payload=parked, **values)
    kept = {"message": {"from": "bo@vendor.example", "text": "hello"}}
    ProviderEvent.objects.create(event_id="kept", message_id="kept", payload=kept, **values)

    run(ADDRESS)

    assert list_places(NAME) == []
    assert ProviderEvent.objects.get(event_id="kept").payload == kept


def test_an_address_that_stands_in_html_with_an_entity_is_erased() -> None:
    other = CaseFactory.create(objective="Ask &lt;o&#x27;hara@vendor.example&gt;", **ENDED)
    CaseFactory.create(counterparty_address="o'hara@vendor.example", **ENDED)

    run("o'hara@vendor.example")

    assert Case.objects.get(id=other.id).objective == "Ask &lt;[erased]&gt;"


@pytest.mark.skipif(not apps.is_installed("agentmail.sandbox"), reason="the sandbox is not installed")
def test_the_stand_in_provider_and_the_receiver_keep_no_name() -> None:
    inbox = Inbox.objects.create(inbox_id="agent@offload.example", created_at=OPENED_AT, updated_at=OPENED_AT)
    thread = Thread.objects.create(inbox=inbox, subject=NAME, last_message_at=OPENED_AT, created_at=OPENED_AT)
    Message.objects.create(
        inbox=inbox, thread=thread, message_id="<m@x>", direction="received", from_header="bo@vendor.example",
        to=["agent@offload.example"], cc=[f"{NAME} <{ADDRESS}>"], subject=NAME, text=NAME, html=NAME,
        extracted_text=NAME, timestamp=OPENED_AT, updated_at=OPENED_AT,
    )  # fmt: skip
    ReceivedWebhook.objects.create(received_at=OPENED_AT, body=json.dumps({"said": f"{NAME} {ADDRESS}"}))
    assert {"sandbox_message", "sandbox_thread", "receiver_receivedwebhook"} <= set(list_places(NAME))

    run(ADDRESS)

    assert list_places(NAME) == []


def test_what_happened_stays() -> None:
    case = make_person()

    run(ADDRESS)

    left = Case.objects.get(id=case.id)
    assert (left.status, left.result_status, left.updated_at) == ("COMPLETED", "goal_achieved", case.updated_at)
    assert left.erased_at is not None
    (event,) = left.events.all()
    assert (event.kind, event.status, event.finished_at) == ("REPLY_RECEIVED", "done", OPENED_AT)
    assert left.agent_runs.get().tokens_in == 12
    assert InboundEmail.objects.get().received_at == OPENED_AT
    body = json.loads(Delivery.objects.get().body)
    assert body["data"] == {"caseId": str(case.id), "status": "COMPLETED", "attachments": []}
    assert DeliveryAttempt.objects.get().outcome == "failed"


def test_a_second_run_finds_nothing_more() -> None:
    make_person()
    run(ADDRESS)

    assert run(ADDRESS) == ["0 cases, 0 of them cancelled first", "The address is in no column of the database."]


def test_a_dry_run_counts_what_the_real_one_changes_and_changes_nothing() -> None:
    make_person()
    before = list_places(NAME)

    counted = run(ADDRESS, "--dry-run")

    assert list_places(NAME) == before
    assert counted[-1] == "Nothing was changed."
    real = run(ADDRESS)
    assert [line.replace("would change", "changed") for line in counted[:-1]] == real[:-1]
    assert len(real) > 10


def test_somebody_whose_address_ends_alike_keeps_every_word() -> None:
    other = CaseFactory.create(counterparty_address=f"anna-{ADDRESS}", objective=f"Ask anna-{ADDRESS}", **ENDED)
    longer = CaseFactory.create(counterparty_address=f"{ADDRESS}.org", objective=f"Ask {ADDRESS}.org", **ENDED)
    make_person()

    run(ADDRESS)

    for case in (other, longer):
        left = Case.objects.get(id=case.id)
        assert (left.counterparty_address, left.objective, left.erased_at) == (
            case.counterparty_address,
            case.objective,
            None,
        )


def test_a_case_that_lives_is_refused_and_nothing_is_changed() -> None:
    make_person()
    make_person(status="RUNNING", result_status="")
    before = list_places(NAME)

    with pytest.raises(CommandError, match=r"1 cases with this person are not ended .* Add --cancel-live"):
        run(ADDRESS)

    assert list_places(NAME) == before
    assert Case.objects.filter(erased_at__isnull=False).count() == 0
    assert not is_suppressed(ADDRESS)


def test_a_case_that_lives_is_cancelled_first_where_that_is_allowed() -> None:
    case = make_person(status="RUNNING", result_status="", client_webhook_url="https://client.example/hook")
    waiting = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key="waiting", payload=WORDS).event_id

    said = run(ADDRESS, "--cancel-live")

    assert said[0] == "1 cases, 1 of them cancelled first"
    left = Case.objects.get(id=case.id)
    assert (left.status, left.result_status) == ("FAILED", "cancelled")
    told = Delivery.objects.get(event_type="case.failed")
    assert (told.state, json.loads(told.body)["data"]["resultStatus"]) == ("pending", "cancelled")
    assert CaseEvent.objects.get(id=waiting).status == "done"
    assert list_places(NAME) == []


def test_while_a_worker_is_at_a_case_nothing_is_changed() -> None:
    case = make_person()
    event_id = ledger.record(case_id=case.id, kind=EventKind.REPLY_RECEIVED, key="running", payload={}).event_id
    CaseEvent.objects.filter(id=event_id).update(status="running", lease_until=datetime(2027, 1, 1, tzinfo=UTC))

    with pytest.raises(CommandError, match="A worker is at one of the person's cases"):
        run(ADDRESS)

    assert Case.objects.get(id=case.id).counterparty_name == NAME


def test_an_erased_person_gets_no_mail_any_more_and_the_list_does_not_name_them(settings: Any) -> None:
    client_id = make_person().client_id
    decline(ADDRESS, client_id, "asked", OPENED_AT)

    run(ADDRESS)

    assert is_suppressed(ADDRESS.upper())
    assert find_closure(ADDRESS, uuid4()) == Closure.SUPPRESSED
    assert not is_suppressed(f"anna-{ADDRESS}")
    assert DeclinedAddress.objects.count() == 0
    assert len(ErasedAddress.objects.get().digest) == 64
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key"
    assert is_suppressed(ADDRESS)


def test_a_name_that_stands_elsewhere_is_told_and_left() -> None:
    make_person()
    CaseFactory.create(objective=f"Ask {NAME} of another company", counterparty_address="b@b.example", **ENDED)

    said = run(ADDRESS)

    assert "still there: a name of the person in 1 rows of cases_case.objective" in said
    assert said[-1] == "The address is in no column of the database."


@pytest.mark.parametrize("address", ["", "maya", "@vendor.example", "a@b@c"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(CommandError, match="is no e-mail address"):
        run(address)


def test_our_own_inbox_is_refused(settings: Any) -> None:
    with pytest.raises(CommandError, match="AGENTMAIL_INBOX_ID"):
        run(settings.AGENTMAIL_INBOX_ID)


def test_every_column_of_words_is_known_to_the_search() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type NOT IN ('integer', 'bigint', 'smallint', 'boolean', 'uuid',"
            " 'numeric', 'double precision', 'interval', 'timestamp with time zone', 'inet')"
        )
        held = {row[0] for row in cursor.fetchall()}

    assert {column.place for column in columns.list_columns()} == held
