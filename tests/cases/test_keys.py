"""API keys: their form, and that a key cannot be read back from what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cases import keys

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)


def test_a_key_has_the_documented_form_and_no_two_are_alike() -> None:
    made = {keys.make_key() for _ in range(100)}

    assert len(made) == 100
    assert all(keys.is_well_formed(key) for key in made)
    assert {len(key) for key in made} == {len("off_") + 8 + 1 + 43}


def test_what_is_kept_of_a_key_is_its_prefix_and_its_sha_256() -> None:
    key = "off_12345678_" + "k" * 43

    assert keys.get_prefix(key) == "off_12345678"
    assert keys.get_digest(key) == "5c775da66e39372f7590946f8c15dcbeab1765bd19011728e6d24f8f29e67ac8"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "off_",
        "off_12345678_" + "k" * 42,
        "off_12345678_" + "k" * 44,
        "off_1234567_" + "k" * 44,
        "OFF_12345678_" + "k" * 43,
        "off_12345678_" + "k" * 42 + "\n",
        "off_12345678_" + "k" * 42 + "é",
        "off_12345678_" + "k" * 42 + "٣",
        " off_12345678_" + "k" * 43,
        "Bearer off_12345678_" + "k" * 43,
    ],
)
def test_anything_else_is_not_a_key(text: str) -> None:
    assert not keys.is_well_formed(text)


@pytest.mark.parametrize(
    ("text", "is_prefix"),
    [
        ("off_12345678", True),
        ("off_1234567", False),
        ("off_12345678_", False),
        ("off_1234567é", False),
        ("off_12345678\n", False),
        ("", False),
    ],
)
def test_a_prefix_is_off_and_eight_characters(text: str, is_prefix: bool) -> None:
    assert keys.is_prefix(text) is is_prefix


@pytest.mark.parametrize(
    ("is_active", "is_client_active", "revoked_at", "expires_at", "state"),
    [
        (True, True, None, None, "active"),
        (True, True, None, NOW + A_MOMENT, "active"),
        (True, True, None, NOW, "expired"),
        (True, False, None, None, "client off"),
        (False, True, None, None, "off"),
        (False, False, None, NOW, "expired"),
        (False, False, NOW, NOW, "revoked"),
        # Revoked on a host whose clock is ahead.
        (True, True, NOW + A_MOMENT, None, "revoked"),
    ],
)
def test_what_a_key_is_worth(
    is_active: bool, is_client_active: bool, revoked_at: datetime | None, expires_at: datetime | None, state: str
) -> None:
    judged = keys.judge_key(
        is_active=is_active,
        is_client_active=is_client_active,
        revoked_at=revoked_at,
        expires_at=expires_at,
        now=NOW,
    )

    assert judged == state
