"""API keys: their form, and that a key cannot be read back from what is stored."""

from __future__ import annotations

import pytest

from cases import keys


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
