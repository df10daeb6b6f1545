"""The webhook over HTTP: what is proven is stored and answered 200, whatever it is; nothing else leaves a trace."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from agentmail.models import InboundEmail, ProviderEvent
from tests.agentmail import urls
from tests.agentmail.conftest import NOW, received, reported, send, sign

pytestmark = pytest.mark.urls("tests.agentmail.urls")

OURS = "<1@agentmail.to>"
ENVELOPE_401 = {
    "ok": False,
    "error": {"code": "UNAUTHORIZED", "message": "The signature of this webhook could not be verified."},
}


@pytest.fixture(autouse=True)
def _at_ten_with_empty_hooks() -> Iterator[None]:
    urls.replies.clear()
    urls.failures.clear()
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def http() -> Client:
    """A client that sees a 500 as the sender would, and is checked for CSRF as a browser is."""
    return Client(raise_request_exception=False, enforce_csrf_checks=True)


def post(http: Client, body: bytes, **changes: str) -> Any:
    headers = sign(body) | {name.replace("_", "-"): value for name, value in changes.items()}
    return http.post("/webhook", body, content_type="application/json", headers=headers)


def encode(event: Any) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.django_db
def test_a_reply_is_stored_and_handed_over(http: Client) -> None:
    send(OURS, "t-1")

    answer = post(http, encode(received("<2@x.example>", "t-1")))

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert [reply.message_id for reply in urls.replies] == ["<2@x.example>"]
    assert InboundEmail.objects.get().received_at == NOW


@pytest.mark.django_db
def test_a_bounce_is_stored_and_handed_over(http: Client) -> None:
    send(OURS, "t-1")

    assert post(http, encode(reported("bounced", OURS, "t-1", type="Permanent"))).status_code == 200
    assert len(urls.failures) == 1


@pytest.mark.django_db
def test_fifty_deliveries_of_one_event_are_one_event(http: Client) -> None:
    send(OURS, "t-1")
    body = encode(received("<2@x.example>", "t-1", event_id="evt_1"))

    codes = [post(http, body, svix_id=f"msg_{n % 2}", **_resign(body, f"msg_{n % 2}")).status_code for n in range(50)]

    assert codes == [200] * 50
    assert (len(urls.replies), ProviderEvent.objects.count(), InboundEmail.objects.count()) == (1, 1, 1)


def _resign(body: bytes, delivery_id: str) -> dict[str, str]:
    signed = sign(body, delivery_id=delivery_id)
    return {"svix_timestamp": signed["svix-timestamp"], "svix_signature": signed["svix-signature"]}


@pytest.mark.django_db
def test_the_header_names_of_standard_webhooks_pass_too(http: Client) -> None:
    body = encode({"event_type": "domain.verified", "event_id": "evt_1"})
    headers = {name.replace("svix", "webhook"): value for name, value in sign(body).items()}

    answer = http.post("/webhook", body, content_type="application/json", headers=headers)

    assert answer.status_code == 200
    assert ProviderEvent.objects.get().svix_id == "msg_1"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"svix_signature": "v1,AAAA"},
        {"svix_signature": "v1"},
        {"svix_signature": "v1,a,b"},
        {"svix_signature": "v1,\xff"},
        {"svix_signature": ""},
        {"svix_timestamp": "nan"},
        {"svix_timestamp": "1e400"},
        {"svix_timestamp": "1"},
        {"svix_id": "msg_2"},
    ],
)
def test_what_is_not_proven_is_refused_and_leaves_nothing(http: Client, changes: dict[str, str]) -> None:
    send(OURS, "t-1")

    answer = post(http, encode(received("<2@x.example>", "t-1")), **changes)

    assert (answer.status_code, answer.json()) == (401, ENVELOPE_401)
    assert (ProviderEvent.objects.count(), InboundEmail.objects.count(), urls.replies) == (0, 0, [])


@pytest.mark.django_db
def test_an_unsigned_or_binary_body_is_refused(http: Client) -> None:
    unsigned = http.post("/webhook", b"{}", content_type="application/json")

    assert [unsigned.status_code, post(http, b"\xff\xfe").status_code] == [401, 401]
    assert ProviderEvent.objects.count() == 0


@pytest.mark.django_db
def test_without_secrets_everything_is_refused_and_the_operator_is_told(
    http: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AGENTMAIL_WEBHOOK_SECRETS = []

    assert post(http, b"{}").status_code == 401
    assert [
        (r.levelno, "AGENTMAIL_WEBHOOK_SECRETS" in r.getMessage())
        for r in caplog.records
        if r.name == "agentmail.views"
    ] == [(logging.ERROR, True)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"NaN",
        b"{}",
        b"[" * 100_000,
        b'{"event_type": "message.received", "message": ' + b"[" * 100_000,
        b'{"event_type": "message.received", "message": {"subject": "\\u0000\\ud800"}}',
        b'{"event_type": "message.received", "n": ' + b"9" * 5000 + b"}",
        b'{"event_type": "\\u0000", "event_id": "\\ud800", "\\u0000": 1e999, "x": NaN}',
        encode({"event_type": "calendar.event.created", "event_id": "evt_1"}),
        encode({"event_type": "message.received", "message": "?"}),
        encode({"event_type": "message.bounced", "bounce": {"recipients": [[[]]]}}),
        encode(received(inbox_id="nobody@offload.example")),
        encode(received(inbox_id=None)),
        encode(received(message_id="..")),
    ],
    ids=range(17),
)
def test_an_authentic_but_odd_body_is_answered_200_and_kept(http: Client, body: bytes) -> None:
    answer = post(http, body)

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    event = ProviderEvent.objects.get()
    assert (event.kind, event.svix_id) == ("ignored", "msg_1")
    assert event.note != ""
    assert InboundEmail.objects.count() == 0


@pytest.mark.django_db
def test_an_event_beyond_the_apis_own_limit_is_taken_up_to_a_megabyte_and_a_half(http: Client, settings: Any) -> None:
    send(OURS, "t-1")
    event = received("<2@x.example>", "t-1", event_id="evt_1", text="")
    event["message"]["text"] = "a" * (1_500_000 - len(encode(event)))

    assert len(encode(event)) == 1_500_000 > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert post(http, encode(event)).status_code == 200
    assert len(urls.replies) == 1


@pytest.mark.django_db
def test_a_larger_body_is_refused_in_the_envelope(http: Client) -> None:
    answer = post(http, b" " * 1_500_001)

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert ProviderEvent.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "put", "delete", "options", "head"])
def test_other_methods_are_refused_in_the_envelope(http: Client, method: str) -> None:
    answer: HttpResponse = getattr(http, method)("/webhook")

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert method == "head" or json.loads(answer.content)["error"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.django_db(transaction=True)
def test_a_failing_database_is_a_500_so_that_the_event_comes_again(
    http: Client, caplog: pytest.LogCaptureFixture
) -> None:
    body = encode(received("<2@x.example>", "t-1", text="canary-text"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE agentmail_inboundemail RENAME TO elsewhere")
    try:
        failed = post(http, body)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO agentmail_inboundemail")

    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert ProviderEvent.objects.count() == 0
    assert "SQLSTATE 42P01" in caplog.text
    assert "canary" not in caplog.text
    assert post(http, body).status_code == 200
    assert InboundEmail.objects.count() == 1


@pytest.mark.django_db
def test_no_log_line_holds_what_a_mail_says(http: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="agentmail")
    send(OURS, "t-1")

    post(http, encode(received("<2@x.example>", "t-1", text="canary-text", subject="canary-subject")))
    post(http, b"canary-body")

    assert "canary" not in caplog.text
    assert "message.received" in caplog.text
