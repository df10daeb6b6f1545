"""Who speaks for the counterparty: the same address, or the same company's domain; no database."""

from __future__ import annotations

import pytest

from cases.handlers.briefing import is_counterparty


@pytest.mark.parametrize(
    ("sender", "counterparty"),
    [
        ("maya@northstar.example", "maya@northstar.example"),
        ("Maya@Northstar.example", "maya@northstar.example"),
        ("tom@northstar.example", "maya@northstar.example"),
        ("maya@yahoo.co.uk", "maya@yahoo.co.uk"),
    ],
)
def test_the_counterparty_is_known_by_address_or_company(sender: str, counterparty: str) -> None:
    assert is_counterparty(sender, counterparty)


@pytest.mark.parametrize(
    "domain",
    [
        *("gmail.com", "yahoo.co.uk", "yahoo.fr", "hotmail.co.uk", "hotmail.fr", "outlook.de", "live.nl", "gmx.at"),
        *("yahoo.com.br", "btinternet.com", "wanadoo.fr", "freenet.de", "comcast.net", "naver.com", "wp.pl"),
    ],
)
def test_at_a_public_mail_provider_another_address_is_a_stranger(domain: str) -> None:
    assert not is_counterparty(f"mallory@{domain}", f"maya@{domain}")


def test_a_subdomain_or_a_longer_name_is_another_company() -> None:
    assert not is_counterparty("maya@mail.northstar.example", "maya@northstar.example")
    assert not is_counterparty("maya@northstar.example.evil.example", "maya@northstar.example")
