"""PURE: strangers' words as they may stand on a page; must not change what a person of good will wrote.

Django escapes markup; what is left are characters that have no look of their own and change the look of others.
"""

from __future__ import annotations

import re

# They make what follows run the other way: with U+202E, "invoice-gpj.exe" reads as "invoice-exe.jpg".
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# In a name, nothing that cannot be seen has business either: soft hyphens, zero widths, marks, tags. The joiners
# U+200C and U+200D stay, because Persian, Hindi and emoji are written with them.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def reveal_line(text: str) -> str:
    """Returns a name, address, subject or file name with each invisible character as its code, such as [U+202E]."""
    return _UNSEEN.sub(_name, text)


def reveal_text(text: str) -> str:
    """Returns the text of a mail with the characters that reorder their neighbours as codes; the rest stays."""
    return _REORDERING.sub(_name, text)


def _name(match: re.Match[str]) -> str:
    return f"[U+{ord(match[0]):04X}]"
