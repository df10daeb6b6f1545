"""Mail addresses as header text."""

import pytest

from agentmail.sandbox.addresses import bare_address, display_name, format_address, is_address


@pytest.mark.parametrize(
    "header", ["a@b.example", "Maya Chen <maya@supplier.example>", '"Chen, Maya" <m@x.example>', "Zoë <z@x.example>"]
)
def test_one_address_with_or_without_a_name_is_accepted(header: str) -> None:
    assert is_address(header)


@pytest.mark.parametrize("header", ["", "maya", "a@b.example, c@d.example", "a b@c.example", "a@b.example\nBcc: x@y.z"])
def test_anything_but_one_address_on_one_line_is_refused(header: str) -> None:
    assert not is_address(header)


def test_the_bare_address_is_lower_cased_and_the_name_is_kept_as_written() -> None:
    assert bare_address("Maya Chen <Maya@Supplier.Example>") == "maya@supplier.example"
    assert display_name("Maya Chen <Maya@Supplier.Example>") == "Maya Chen"
    assert display_name("maya@supplier.example") == "maya@supplier.example"


def test_a_name_is_put_before_the_address_unencoded() -> None:
    assert format_address("", "a@b.example") == "a@b.example"
    assert format_address("Acme", "a@b.example") == "Acme <a@b.example>"
    assert format_address("Zoë", "a@b.example") == '"Zoë" <a@b.example>'
