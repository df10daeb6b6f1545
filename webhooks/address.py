"""PURE: which URLs and which addresses a webhook may go to; must not look up a name or open a socket."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address

MAX_URL_LENGTH = 2048
ALLOWED_PORTS: tuple[int, ...] = (80, 443, 8443)
SCHEME_PORTS = {"http": 80, "https": 443}

# `is_global` calls these public, at least in some Python 3.11: each one reaches, or can be made to reach, the inside.
_INSIDE_IPV4 = (
    ip_network("168.63.129.16/32"),  # Azure's host agent
    ip_network("192.0.0.0/24"),  # IETF protocol assignments, Oracle's metadata service among them
    ip_network("192.88.99.0/24"),  # relays of 6to4
)
_INSIDE_IPV6 = (
    ip_network("2001::/23"),  # Teredo, ORCHID and their kind
    ip_network("2002::/16"),  # 6to4: carries an IPv4 address
    ip_network("3fff::/20"),  # documentation
)
# Only this block is handed out to the public. It leaves out what wraps an IPv4 address (`::/96`, `64:ff9b::/96`)
# and the site-local `fec0::/10`, which Python takes for public.
_PUBLIC_IPV6 = ip_network("2000::/3")

# Reserved for the inside by RFC 6761, RFC 6762, ICANN and RFC 8375, so no public endpoint can have such a name.
_INSIDE_NAMES = (".localhost", ".local", ".internal", ".home.arpa")

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")


def check_url(url: str, *, allow_private: bool, allowed_ports: Collection[int] = ALLOWED_PORTS) -> str | None:
    """Returns one sentence that says what is wrong with the form of a webhook's URL, or None.

    No name is looked up: a name that leads to a private address passes here and is refused at each attempt.
    With `allow_private` every address and every port passes.
    """
    if len(url) > MAX_URL_LENGTH:
        return f"The URL is longer than {MAX_URL_LENGTH:,} characters."
    # `urlsplit` silently drops tabs and line ends, so this comes first.
    if not url.isprintable() or " " in url or "\\" in url:
        return "The URL holds a space, a backslash or a control character; percent-encode it."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "The URL is malformed; its host or its port (1 to 65535) cannot be read."
    if parts.scheme not in SCHEME_PORTS:
        return "The URL must begin with http:// or https://."
    if "@" in parts.netloc:
        return "The URL must not carry a user name or a password."
    return _check_host(parts) or _check_target(parts, port, allow_private, allowed_ports)


def read_literal(host: str) -> Address | None:
    """Returns the address that a host spells out, in any notation that a resolver takes, or None for a name.

    Besides the usual ones: octal, hexadecimal, fewer than four parts, one whole number, full-width digits.
    """
    plain = unicodedata.normalize("NFKC", host).replace("\N{IDEOGRAPHIC FULL STOP}", ".").rstrip(".")
    try:
        return ip_address(plain.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(plain))
    except (OSError, UnicodeEncodeError):
        return None


def is_public(address: Address) -> bool:
    """Returns whether an address belongs to the public internet: not to this machine, its network or its cloud."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        return address in _PUBLIC_IPV6 and address.is_global and not any(address in net for net in _INSIDE_IPV6)
    return address.is_global and not address.is_multicast and not any(address in net for net in _INSIDE_IPV4)


def _check_host(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if not host:
        return "The URL names no host."
    if ":" in host or "[" in parts.netloc:
        return None if isinstance(read_literal(host), IPv6Address) else "The URL's host is not a valid IPv6 address."
    if not _HOST_NAME.fullmatch(_spell_out(host)):
        return "The URL's host is not a valid name."
    return None


def _spell_out(host: str) -> str:
    """Returns a name as a resolver is asked for it, in ASCII, or "" if there is no such form."""
    if host.isascii():
        return host if len(host) <= 253 else ""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return ""


def _check_target(parts: SplitResult, port: int | None, allow_private: bool, ports: Collection[int]) -> str | None:
    if port == 0:
        return "The URL's port must be from 1 to 65535."
    if allow_private:
        return None
    if (port or SCHEME_PORTS[parts.scheme]) not in ports:
        return f"The URL's port must be one of {', '.join(str(allowed) for allowed in ports)}."
    host = parts.hostname or ""
    literal = read_literal(host)
    if literal is not None:
        return None if is_public(literal) else "The URL leads to an address that is not public."
    name = _spell_out(host).rstrip(".")
    # A name without a dot is completed from the machine's own search list, if it leads anywhere.
    if "." not in name or name.endswith(_INSIDE_NAMES):
        return "The URL's host is a name that exists only inside a network."
    return None
