"""The Idempotency-Key of the send calls."""

from urllib.parse import quote

import psycopg
import pytest
from django.db import connection

from agentmail.sandbox.models import Delivery, IdempotencyRecord, Message, Thread
from tests.agentmail.sandbox.conftest import INBOX, Control, Provider

KEY = "offload.main.6f1c"
MAIL = {"to": "maya@supplier.example", "subject": "W-9", "text": "a"}


def test_the_same_request_again_answers_the_same_and_sends_nothing(provider: Provider) -> None:
    first = provider.send(MAIL, Idempotency_Key=KEY)
    deliveries = Delivery.objects.count()
    second = provider.send(MAIL, Idempotency_Key=KEY)
    assert (second.status_code, second.json()) == (200, first.json())
    assert (Message.objects.count(), Thread.objects.count()) == (1, 1)
    assert Delivery.objects.count() == deliveries


def test_without_a_key_the_same_request_sends_again(provider: Provider) -> None:
    assert provider.send(MAIL).json() != provider.send(MAIL).json()
    assert Message.objects.count() == 2


def test_the_key_with_another_body_or_endpoint_is_a_conflict_and_sends_nothing(provider: Provider) -> None:
    sent = provider.send(MAIL, Idempotency_Key=KEY).json()
    reply = f"/inboxes/{INBOX}/messages/{quote(sent['message_id'], safe='')}/reply"
    for answer in (
        provider.send(MAIL | {"text": "b"}, Idempotency_Key=KEY),
        # Byte for byte: the same fields in another order are another request.
        provider.send(dict(reversed(MAIL.items())), Idempotency_Key=KEY),
        provider.call("POST", reply, MAIL, Idempotency_Key=KEY),
    ):
        assert answer.status_code == 409
        assert answer.json()["name"] == "IdempotencyKeyConflictError"
        assert answer.json()["code"] == "conflict"
    assert Message.objects.count() == 1


def test_an_escaped_and_a_plain_path_are_the_same_request(provider: Provider) -> None:
    first = provider.send(MAIL, Idempotency_Key=KEY).json()
    path = "/inboxes/agent%40offload.example/messages/send"
    assert provider.call("POST", path, MAIL, Idempotency_Key=KEY).json() == first


@pytest.mark.parametrize("key", ["", "a b", "ä", "a/b", "x" * 257, "a,b"])
def test_a_malformed_key_is_refused_and_sends_nothing(provider: Provider, key: str) -> None:
    answer = provider.send(MAIL, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert Message.objects.count() == 0


def test_the_longest_key_is_accepted(provider: Provider) -> None:
    assert provider.send(MAIL, Idempotency_Key="x" * 252 + "-._~").status_code == 200


def test_a_key_is_free_again_24_hours_after_its_answer(provider: Provider, control: Control) -> None:
    first = provider.send(MAIL, Idempotency_Key=KEY).json()
    control.post("clock", {"hours": 23.9})
    assert provider.send(MAIL, Idempotency_Key=KEY).json() == first
    control.post("clock", {"hours": 0.2})
    assert provider.send(MAIL, Idempotency_Key=KEY).json() != first
    assert Message.objects.count() == 2


def test_a_refused_mail_leaves_its_key_free(provider: Provider) -> None:
    assert provider.send({"subject": "no recipients"}, Idempotency_Key=KEY).status_code == 422
    assert not IdempotencyRecord.objects.exists()
    assert provider.send(MAIL, Idempotency_Key=KEY).status_code == 200


def test_a_key_whose_first_request_is_still_running_is_a_conflict(provider: Provider) -> None:
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"],
    ) as other_call:
        other_call.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sandbox:{KEY}"])
        answer = provider.send(MAIL, Idempotency_Key=KEY)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert Message.objects.count() == 0
    assert provider.send(MAIL, Idempotency_Key=KEY).status_code == 200
