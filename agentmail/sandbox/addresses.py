"""PURE: mail addresses as header text, `a@b` or `Name <a@b>`; must not know the database or HTTP."""

import re
from email.utils import formataddr, getaddresses

_BARE = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}")


def is_address(header: str) -> bool:
    """Tells whether the text is one mail address, with or without a name, on one line."""
    if not header.isprintable():
        return False
    found = getaddresses([header])
    return len(found) == 1 and _BARE.fullmatch(found[0][1]) is not None


def bare_address(header: str) -> str:
    """Returns the address alone, lower-cased; the whole text where it holds no address."""
    return (_split(header)[1] or header.strip()).lower()


def display_name(header: str) -> str:
    """Returns the name before the address, or the address where there is no name."""
    name, address = _split(header)
    return name or address or header.strip()


def format_address(name: str, address: str) -> str:
    """Returns `Name <address>`, or the bare address without a name."""
    if name.isascii():
        return formataddr((name, address))
    # formataddr would encode it for the wire; the provider's API shows names as they are read.
    return f'"{name}" <{address}>'


def _split(header: str) -> tuple[str, str]:
    found = getaddresses([header])
    return found[0] if found else ("", "")
