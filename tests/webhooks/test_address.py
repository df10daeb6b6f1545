"""Which URLs a client may name, and which addresses a webhook may reach."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from webhooks.address import check_url, is_public, read_literal

NOT_PUBLIC = "The URL leads to an address that is not public."
INSIDE_NAME = "The URL's host is a name that exists only inside a network."
BAD_HOST = "The URL's host is not a valid name."
BAD_CHARACTER = "The URL holds a space, a backslash or a control character; percent-encode it."
MALFORMED = "The URL is malformed; its host or its port (1 to 65535) cannot be read."
BAD_SCHEME = "The URL must begin with http:// or https://."
USERINFO = "The URL must not carry a user name or a password."


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://example.com",
        "HTTPS://Example.COM:8443/hook?token=a%20b#part",
        "https://bücher.example/hook",
        "https://hooks_1.example.com./",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/",
        "https://example.com/" + "a" * 2028,
    ],
)
def test_a_public_http_url_passes(url: str) -> None:
    assert check_url(url, allow_private=False) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", BAD_SCHEME),
        ("example.com/hook", BAD_SCHEME),
        ("//example.com/hook", BAD_SCHEME),
        ("javascript:alert(1)", BAD_SCHEME),
        ("file:///etc/passwd", BAD_SCHEME),
        ("ftp://example.com/", BAD_SCHEME),
        ("https:///hook", "The URL names no host."),
        ("https://:443/", "The URL names no host."),
        ("https://user@example.com/", USERINFO),
        ("https://user:word@example.com/", USERINFO),
        ("https://example.com@127.0.0.1/", USERINFO),
        ("https://@example.com/", USERINFO),
        ("https://example.com:99999/", MALFORMED),
        ("https://example.com:http/", MALFORMED),
        ("https://example.com:-1/", MALFORMED),
        ("https://[::1", MALFORMED),
        ("https://example.com:0/", "The URL's port must be from 1 to 65535."),
        ("https://exa mple.com/", BAD_CHARACTER),
        (" https://example.com/", BAD_CHARACTER),
        ("https://example.com/\n", BAD_CHARACTER),
        ("https://example.com/\tpath", BAD_CHARACTER),
        ("https://example.com/\x00", BAD_CHARACTER),
        ("https://example.com/\x7f", BAD_CHARACTER),
        ("https://example.com/\u2028", BAD_CHARACTER),
        ("https://example.com/\u202e", BAD_CHARACTER),
        ("https://example.com/\ud800", BAD_CHARACTER),
        ("https://example.com\\@127.0.0.1/", BAD_CHARACTER),
        ("https://-example.com/", BAD_HOST),
        ("https://a..example.com/", BAD_HOST),
        ("https://" + "a" * 64 + ".example/", BAD_HOST),
        ("https://" + "a." * 127 + "example/", BAD_HOST),
        ("https://*.example.com/", BAD_HOST),
        ("https://[v1.example]/", "The URL's host is not a valid IPv6 address."),
        ("https://example.com/" + "a" * 2029, "The URL is longer than 2,048 characters."),
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_url_that_no_webhook_can_use_is_refused_with_its_reason(url: str, fault: str, allow_private: bool) -> None:
    assert check_url(url, allow_private=allow_private) == fault


PRIVATE_HOSTS = [
    "127.0.0.1",
    "127.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "127.0.0.1.",
    "\uff11\uff12\uff17.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "0xa9fea9fe",
    "168.63.129.16",
    "192.0.0.192",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[3fff::1]",
    "[2001:db8::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[ff02::1]",
]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_an_address_inside_is_refused_in_any_notation_unless_private_ones_are_allowed(host: str) -> None:
    assert check_url(f"http://{host}/hook", allow_private=False) == NOT_PUBLIC
    assert check_url(f"http://{host}/hook", allow_private=True) is None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "app.localhost", "printer.local", "metadata.google.internal"]
)
def test_a_name_that_exists_only_inside_is_refused_unless_private_ones_are_allowed(host: str) -> None:
    assert check_url(f"http://{host}/", allow_private=False) == INSIDE_NAME
    assert check_url(f"http://{host}/", allow_private=True) is None


def test_a_name_that_only_looks_like_an_inside_one_passes() -> None:
    assert check_url("https://localhost.example.com/", allow_private=False) is None


def test_only_the_allowed_ports_pass_unless_private_addresses_are_allowed() -> None:
    url = "http://example.com:6379/"

    assert check_url(url, allow_private=False) == "The URL's port must be one of 80, 443, 8443."
    assert check_url(url, allow_private=True) is None
    assert check_url(url, allow_private=False, allowed_ports=(6379,)) is None
    assert check_url("https://example.com/", allow_private=False, allowed_ports=(80,)) == (
        "The URL's port must be one of 80."
    )


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "4294967296", "08.1.1.1", "", "0x"])
def test_a_host_that_no_resolver_takes_for_an_address_is_a_name(host: str) -> None:
    assert read_literal(host) is None


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "99.255.255.255", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_public_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))
