"""Signatures by Standard Webhooks, held against its reference library and its published example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from webhooks.signing import derive_secret, find_fault, get_fingerprint, sign

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
BODY = b'{"event_id":"evt_1","data":{"name":"Zo\\u00eb"}}'
SECRET = derive_secret("the installation's key", b"s" * 32)
OTHER = derive_secret("the installation's key", b"t" * 32)


def signed(*secrets: str, at: datetime = NOW) -> dict[str, str]:
    return sign(secrets or (SECRET,), event_id="evt_1", moment=at, body=BODY)


def test_the_example_of_the_specification_is_signed_as_it_shows() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, the reference libraries' test.
    headers = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        moment=datetime.fromtimestamp(1614265330, tz=UTC),
        body=b'{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_made_of_the_key_and_its_salt_and_of_nothing_else() -> None:
    assert derive_secret("the installation's key", b"s" * 32) == SECRET
    assert len({SECRET, OTHER, derive_secret("another key", b"s" * 32)}) == 3
    # whsec_ and 32 bytes.
    assert (SECRET[:6], len(SECRET)) == ("whsec_", 6 + 44)


def test_a_fingerprint_tells_secrets_apart_without_showing_them() -> None:
    assert get_fingerprint(SECRET) != get_fingerprint(OTHER)
    assert len(get_fingerprint(SECRET)) == 12
    assert get_fingerprint(SECRET) not in SECRET


def test_each_of_two_secrets_is_enough_for_the_reference_library() -> None:
    headers = signed(SECRET, OTHER, at=datetime.now(UTC))

    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(BODY, headers)["event_id"] == "evt_1"


@pytest.mark.parametrize(
    ("changes", "body", "fault"),
    [
        ({}, BODY, None),
        (
            {"webhook-id": "", "webhook-timestamp": "", "webhook-signature": ""},
            BODY,
            "It is not signed: signing is off for this client.",
        ),
        ({"webhook-id": ""}, BODY, "The header webhook-id is missing."),
        ({"webhook-timestamp": ""}, BODY, "The header webhook-timestamp is missing."),
        ({"webhook-signature": ""}, BODY, "The header webhook-signature is missing."),
        ({"webhook-timestamp": "now"}, BODY, "webhook-timestamp is not a number of seconds."),
        ({"webhook-timestamp": "²"}, BODY, "webhook-timestamp is not a number of seconds."),
        ({"webhook-timestamp": "9" * 13}, BODY, "webhook-timestamp is not a number of seconds."),
        ({"webhook-id": "evt_2"}, BODY, "No signature fits: another secret signed it, or the body was changed"),
        ({"webhook-timestamp": "1795514401"}, BODY, "No signature fits"),
        ({}, BODY + b" ", "No signature fits"),
        ({}, b"\xff", "No signature fits"),
        ({"webhook-signature": "v1,AAAA v2,AAAA nonsense v1 é"}, BODY, "No signature fits"),
    ],
)
def test_a_fault_is_told_by_its_reason(changes: dict[str, str], body: bytes, fault: str | None) -> None:
    found = find_fault(SECRET, signed() | changes, body, now=NOW)

    assert found is None if fault is None else str(found).startswith(fault)


def test_another_secret_does_not_fit_and_one_that_is_none_is_told() -> None:
    assert str(find_fault(OTHER, signed(), BODY, now=NOW)).startswith("No signature fits")
    for broken in ("whsec_", "whsec_%%%", "", "whsec_é"):
        assert find_fault(broken, signed(), BODY, now=NOW) == "The secret is not whsec_ and Base64."


def test_a_clock_may_be_wrong_by_five_minutes_both_ways() -> None:
    for off in (-300, 300):
        assert find_fault(SECRET, signed(), BODY, now=NOW + timedelta(seconds=off)) is None
    late = find_fault(SECRET, signed(), BODY, now=NOW + timedelta(seconds=301))
    early = find_fault(SECRET, signed(), BODY, now=NOW - timedelta(seconds=301))
    assert late == "webhook-timestamp is 301 s behind this clock; at most 300 s are allowed."
    assert early == "webhook-timestamp is 301 s ahead of this clock; at most 300 s are allowed."
