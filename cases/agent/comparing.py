"""PURE: texts, numbers and dates in one comparable form, whatever their case, width, spacing or language of figures."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_WHOLE_NUMBER = re.compile(r"\d{1,3}(?:[.,'\u2019 \u202f]\d{3})+(?!\d)|\d+")
_AMOUNT = re.compile(r"\d[\d.,'\u2019 \u00a0\u202f]*")
_LONGEST_AMOUNT = 40
_INSIDE_FIGURE = re.compile(r"\d(?P<separator>[.,'\u2019])(?!\d{4})\d")


def fold_letters(text: str) -> str:
    """Return letters and digits only, in one form: spaces, case, width and look of the type hide nothing."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in decomposed if char.isalnum())


@dataclass(frozen=True, slots=True)
class Folded:
    """A text as `fold_letters` gives it, and the places in it where a word or a figure begins or ends."""

    letters: str
    edges: frozenset[int]

    def holds(self, passage: str) -> bool:
        """Return whether a folded passage stands here as whole words: "450" is not in "2450", nor "art" in "start"."""
        start = self.letters.find(passage) if passage else -1
        while start >= 0:
            if start in self.edges and start + len(passage) in self.edges:
                return True
            start = self.letters.find(passage, start + 1)
        return False


def fold_text(text: str) -> Folded:
    """Return the text's letters and digits with the edges of its words; scripts without case have one at each letter.

    A point or comma between figures is no edge, so that 450 is not read out of 2,450; before a year it is.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters: list[str] = []
    edges = {0}
    before = ""
    for position, char in enumerate(plain):
        if unicodedata.category(char).startswith("M"):
            continue
        kind = _name_kind(char)
        if kind != before or kind == "alone":
            is_inside = kind == "digit" and _INSIDE_FIGURE.search(plain, max(0, position - 2), position + 4)
            if is_inside and is_inside.end("separator") == position:
                edges.discard(len(letters))
            else:
                edges.add(len(letters))
        before = kind
        if kind:
            letters.append(char)
    return Folded("".join(letters), frozenset({*edges, len(letters)}))


def _name_kind(char: str) -> str:
    if char.isdecimal():
        return "digit"
    if not char.isalnum():
        return ""
    return "alone" if unicodedata.category(char) == "Lo" else "letter"


def split_words(text: str) -> list[str]:
    """Return the words and figures of a text, each as `fold_letters` gives it."""
    return [fold_letters(word) for word in re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text))]


def find_numbers(text: str) -> frozenset[str]:
    """Return the whole numbers in the text as plain digits, "3,200" as "3200"."""
    plain = unicodedata.normalize("NFKC", text)
    matches = _WHOLE_NUMBER.finditer(plain)
    digits = ("".join(str(int(char)) for char in match[0] if char.isdecimal()) for match in matches)
    return frozenset(number.lstrip("0") or "0" for number in digits)


def find_amounts(text: str) -> frozenset[Decimal]:
    """Return every amount that the text may name; "2.450" is both 2450 and 2.45, as its writer's country is unknown."""
    plain = unicodedata.normalize("NFKC", text)
    return frozenset(amount for match in _AMOUNT.finditer(plain) for amount in _read_amount(match[0]))


def _read_amount(written: str) -> Iterator[Decimal]:
    digits = re.sub(r"['\u2019 \u00a0\u202f]", "", written[:_LONGEST_AMOUNT]).rstrip(".,")
    yield from _parse(re.sub(r"[.,]", "", digits))
    last = max(digits.rfind("."), digits.rfind(","))
    if last > 0:
        yield from _parse(f"{re.sub(r'[.,]', '', digits[:last])}.{digits[last + 1 :]}")
    # "4 500": two figures, or one of four and a half thousand.
    for part in re.split(r"[' \u2019\u00a0\u202f]", written[:_LONGEST_AMOUNT]):
        yield from _parse(part.rstrip(".,"))


def _parse(digits: str) -> Iterator[Decimal]:
    try:
        yield Decimal(digits).normalize()
    except InvalidOperation:
        return
