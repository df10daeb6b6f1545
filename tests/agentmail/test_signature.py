"""Only AgentMail's own webhooks pass, and nothing but a refusal comes out of the check."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from agentmail.inbound import WebhookRefused, verify_webhook
from tests.agentmail.conftest import NOW, SECRET, sign

BODY = '{"event_type": "message.received", "grüße": "ü"}'.encode()
OTHER_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQ="


def refuse(body: bytes, headers: dict[str, str], secrets: list[str] | None = None) -> WebhookRefused:
    with pytest.raises(WebhookRefused) as caught:
        verify_webhook(body, headers, [SECRET] if secrets is None else secrets, NOW)
    return caught.value


def test_a_signed_body_passes_and_gives_the_id_of_its_delivery() -> None:
    assert verify_webhook(BODY, sign(BODY, delivery_id="msg_7"), [SECRET], NOW) == "msg_7"


def test_the_signature_is_the_one_that_the_standard_library_of_the_sender_makes() -> None:
    # What Svix documents: HMAC-SHA256 over "{id}.{timestamp}.{body}", its key the base64 after whsec_.
    headers = {"svix-id": "msg_1", "svix-timestamp": "1795514400"}
    signature = Webhook(SECRET).sign("msg_1", NOW, BODY.decode())

    assert int(NOW.timestamp()) == 1795514400
    assert verify_webhook(BODY, headers | {"svix-signature": signature}, [SECRET], NOW) == "msg_1"


def test_both_families_of_header_names_pass_in_any_case() -> None:
    headers = {name.replace("svix", "Webhook").upper(): value for name, value in sign(BODY).items()}

    assert verify_webhook(BODY, headers, [SECRET], NOW) == "msg_1"


def test_headers_of_two_families_are_not_mixed() -> None:
    headers = sign(BODY)
    headers["webhook-signature"] = headers.pop("svix-signature")

    refuse(BODY, headers)


def test_during_a_rotation_either_secret_passes() -> None:
    assert verify_webhook(BODY, sign(BODY), [OTHER_SECRET, SECRET], NOW) == "msg_1"
    assert verify_webhook(BODY, sign(BODY, secret=OTHER_SECRET), [OTHER_SECRET, SECRET], NOW) == "msg_1"


def test_one_of_several_signatures_is_enough() -> None:
    headers = sign(BODY)
    headers["svix-signature"] = f"v1,AAAA v2,BBBB {headers['svix-signature']}"

    assert verify_webhook(BODY, headers, [SECRET], NOW) == "msg_1"


@pytest.mark.parametrize("seconds", [-300, 299, 300])
def test_a_timestamp_within_five_minutes_passes(seconds: int) -> None:
    headers = sign(BODY, at=NOW + timedelta(seconds=seconds))

    assert verify_webhook(BODY, headers, [SECRET], NOW) == "msg_1"


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 10**9])
def test_a_timestamp_further_off_is_refused(seconds: int) -> None:
    refuse(BODY, sign(BODY, at=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "changes",
    [
        {"svix-id": "msg_2"},
        {"svix-id": ""},
        {"svix-id": "msg\N{SNOWMAN}"},
        {"svix-timestamp": ""},
        {"svix-timestamp": "nan"},
        {"svix-timestamp": "1e400"},
        {"svix-timestamp": "1795514400.0"},
        {"svix-timestamp": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"svix-timestamp": "9" * 400},
        {"svix-signature": ""},
        {"svix-signature": "v1"},
        {"svix-signature": "v1,"},
        {"svix-signature": "v1,a,b"},
        {"svix-signature": "v1,abc"},
        {"svix-signature": "abc"},
        {"svix-signature": "v1,\N{SNOWMAN}"},
        {"svix-signature": "v1,\xff"},
    ],
)
def test_a_broken_header_is_refused_and_raises_nothing_else(changes: dict[str, str]) -> None:
    refusal = refuse(BODY, sign(BODY) | changes)

    assert refusal.is_our_fault is False


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = sign(BODY)
    del headers[missing]

    refuse(BODY, headers)


def test_a_changed_body_is_refused() -> None:
    refuse(BODY + b" ", sign(BODY))


def test_a_body_that_is_no_text_is_refused() -> None:
    refuse(b"\xff\xfe", sign(b"\xff\xfe"))


def test_another_secret_is_refused() -> None:
    assert refuse(BODY, sign(BODY, secret=OTHER_SECRET)).is_our_fault is False


@pytest.mark.parametrize("secrets", [[], [""], ["  "], ["whsec_"], ["whsec_", ""]])
def test_without_a_usable_secret_everything_is_refused_as_our_own_fault(secrets: list[str]) -> None:
    # A signature under the empty key, which anybody can make.
    empty = Webhook(b"x")
    empty._whsecret = b""
    headers = sign(BODY) | {"svix-signature": empty.sign("msg_1", NOW, BODY.decode())}

    refusal = refuse(BODY, headers, secrets)

    assert refusal.is_our_fault is True
    assert "AGENTMAIL_WEBHOOK_SECRETS" in refusal.reason


def test_a_broken_secret_does_not_stop_the_other_one() -> None:
    assert verify_webhook(BODY, sign(BODY), ["whsec_", SECRET], NOW) == "msg_1"


@given(st.binary(max_size=40), st.dictionaries(st.sampled_from(list(sign(BODY))), st.text(max_size=30)))
def test_no_input_raises_anything_but_a_refusal(body: bytes, changes: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        verify_webhook(body, sign(BODY) | changes, [SECRET], NOW)
