"""What may leave in a mail: a check of every outgoing text, whoever wrote it; must not repair anything.

No wording of a prompt is a boundary, so these limits are code: plain text, no link or address that
the case does not already hold, nothing invisible, nothing of the private knowledge.
"""

import base64
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from cases.agent.comparing import Folded, find_amounts, find_numbers, fold_letters, fold_text, split_words
from cases.agent.offline.dates import find_dates
from cases.agent.protocol import CaseView

MAX_SUBJECT_CHARS = 200
MAX_BODY_CHARS = 20_000
WINDOW_CHARS = 24
MIN_LEAF_CHARS = 6

# Written in category letters or marks, yet drawn as nothing: fillers, joiners, variation selectors.
_INVISIBLE_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)
_HTML = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]*(\s[^<>]{0,500})?/?>|<!--|<!doctype", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"!?\[[^\]\n]{0,300}\]\s{0,3}[(\[]|^\s{0,3}\[[^\]\n]{1,300}\]:\s*\S", re.MULTILINE)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}):(//)?([^\s<>\"']+)", re.IGNORECASE)
_SCHEMES_WITHOUT_SLASHES = ("mailto", "javascript", "data", "vbscript", "tel", "sms", "file", "blob")
_EMAIL = re.compile(r"[^\s@<>()\[\]{},;:\"']{1,64}@(?:[\w-]+\.)*[\w-]+", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:[\w-]{1,63}\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,40})(?![\w-])", re.IGNORECASE
)
# A host without a name is followed by a path or a port; "1.2.3.4" alone is a version.
_HOST_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?=[:/]\w)")
# "W-9.pdf" has the form of a domain; none of these is a top-level domain.
_FILE_ENDINGS = frozenset(
    (
        *("pdf", "doc", "docx", "docm", "odt", "rtf", "txt", "xls", "xlsx", "xlsm", "ods", "csv", "ppt", "pptx", "odp"),
        *("png", "jpg", "jpeg", "gif", "tif", "tiff", "heic", "svg", "ics", "vcf", "json", "xml", "html", "htm", "eml"),
        *("msg", "dwg", "dxf", "step"),
    )
)
# "4 8 2 0 0" and "4-8-2-0-0".
_SPELLED_NUMBER = re.compile(r"(?<![\w.,])\d(?:[ \-_.*,/|]{1,3}\d){2,20}(?!\w)")
# "3_200" and "3-200"; with a point, a comma or a space it is found as a number anyway.
_GROUPED_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[_\-\u00b7/|]\d{3})+(?!\d)")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}[:.h]\d{2}\b(?!\W?\d)|\b\d{1,2} ?(am|pm|uhr|h)\b")
# Cyrillic and Greek letters that look like Latin ones; each case for itself, since "\u041d" looks like H.
_LOOKALIKES = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb\u04cf\u0442"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03b1\u03bf\u03bd\u03c1\u03c4\u03c5\u03ba\u03b9\u03c7\u03b5\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "abekmhopctyxijsdqwhltABEKMHOPCTYXIJSaovptukixeABEZHIKMNOPTYX",
)
_CODED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
# The dates are only found, never counted from.
_ANY_DAY = date(2026, 1, 1)
_COMMON_WORDS = frozenset(
    ("yes", "true", "false", "none", "null", "low", "high", "medium", "open", "any", "all", "the")
)


@dataclass(frozen=True, slots=True)
class GuardHit:
    """One reason not to send: the rule's name, and a sentence that never repeats what it protects."""

    rule: str
    detail: str


def check_outgoing(text: str, subject: str, view: CaseView) -> list[GuardHit]:
    """Return every reason why this mail may not leave, [] when it may. `subject` is "" for a reply in the thread."""
    case = _PublicCase(view)
    hits = [*_check_form(text, subject)]
    both = f"{subject}\n{text}"
    hits += _check_characters(both)
    hits += _check_markup(both)
    hits += _check_links(both, case)
    hits += _check_addresses(both, case)
    hits += _check_private(both, view.private_knowledge, case)
    return list(dict.fromkeys(hits))


class _PublicCase:
    """What the case already says, in the forms the rules compare with."""

    def __init__(self, view: CaseView) -> None:
        self._view = view

    @cached_property
    def given(self) -> str:
        """What the client and its people gave and may be repeated; constraints are orders to us and not in it."""
        view = self._view
        persona = view.persona
        parts = [view.objective, view.counterparty_name, view.counterparty_company]
        parts += [persona.name, persona.role, persona.company, *view.custom_data.values()]
        parts += [answer.answer for answer in view.human_answers]
        parts += [str(leaf) for leaf in _list_leaves(_without_private(view.knowledge))]
        parts += [str(leaf) for leaf in _list_leaves(view.result_schema)]
        return "\n".join(parts)

    @cached_property
    def known(self) -> str:
        """Everything in which a link or an address may already stand."""
        view = self._view
        thread = [f"{message.subject}\n{message.text}" for message in view.thread]
        return _fold_links("\n".join([self.given, *view.constraints, *thread]))

    @cached_property
    def hosts(self) -> frozenset[str]:
        return frozenset(host for _, host in _find_hosts(self.known)) | frozenset(
            address.rpartition("@")[2] for address in self.addresses
        )

    @cached_property
    def addresses(self) -> frozenset[str]:
        return frozenset(_find_addresses(self.known))

    @cached_property
    def folded(self) -> str:
        return fold_letters(self.given)

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(split_words(self.given))

    @cached_property
    def numbers(self) -> frozenset[str]:
        return find_numbers(self.given)

    @cached_property
    def amounts(self) -> frozenset[Decimal]:
        return find_amounts(self.given)


def _check_form(text: str, subject: str) -> Iterator[GuardHit]:
    if not text.strip():
        yield GuardHit("form", "the text is empty")
    if len(text) > MAX_BODY_CHARS:
        yield GuardHit("form", f"the text is longer than {MAX_BODY_CHARS} characters")
    if len(subject) > MAX_SUBJECT_CHARS:
        yield GuardHit("form", f"the subject is longer than {MAX_SUBJECT_CHARS} characters")
    if len(subject.splitlines()) > 1 or "\t" in subject or subject != subject.strip("\r\n"):
        yield GuardHit("form", "the subject is more than one line")


def _check_characters(text: str) -> Iterator[GuardHit]:
    # The end of a line as mail itself writes it.
    found = sorted({f"U+{ord(char):04X}" for char in set(text.replace("\r\n", "\n")) if _is_invisible(char)})
    if found:
        yield GuardHit("characters", f"invisible, control or direction characters: {', '.join(found[:5])}")


# Every character of every text comes through here, and most of them are the same few.
@lru_cache(maxsize=4096)
def _is_invisible(char: str) -> bool:
    if char in "\n\t":
        return False
    if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"):
        return True
    return any(low <= ord(char) <= high for low, high in _INVISIBLE_RANGES)


def remove_invisible(text: str) -> str:
    """Return the text without the characters that no outgoing mail may hold, for names that come from outside."""
    return "".join(char for char in text if not _is_invisible(char))


def _check_markup(text: str) -> Iterator[GuardHit]:
    if _HTML.search(text):
        yield GuardHit("markup", "HTML; the mail is plain text")
    if _MARKDOWN_LINK.search(text) or "```" in text:
        yield GuardHit("markup", "Markdown links, images or fences; the mail is plain text")


def _check_links(text: str, case: _PublicCase) -> Iterator[GuardHit]:
    folded = _fold_links(text)
    if _HOST_NUMBER.search(folded):
        yield GuardHit("link", "a link to a host without a name")
    for scheme, host in _find_hosts(folded):
        if scheme not in ("", "http", "https", "mailto"):
            yield GuardHit("link", f"a link of the kind {scheme}:")
        elif host and host not in case.hosts:
            yield GuardHit("link", f"a link to {host[:100]}, which the case does not mention")


def _check_addresses(text: str, case: _PublicCase) -> Iterator[GuardHit]:
    for address in sorted(_find_addresses(_fold_links(text)) - case.addresses):
        domain = address.rpartition("@")[2][:100]
        yield GuardHit("address", f"an e-mail address at {domain} that the case does not mention")


def _fold_links(text: str) -> str:
    """Return the text as a mail program reads links in it: full-width letters and dots are plain ones."""
    plain = "".join(char for char in unicodedata.normalize("NFKC", text) if char in "\n\t" or not _is_invisible(char))
    return plain.translate({0x3002: ".", 0xFF0E: ".", 0xFF61: ".", 0x2024: "."}).casefold()


def _find_hosts(folded: str) -> Iterator[tuple[str, str]]:
    """Yield (scheme, host) of every link; the scheme is "" where only a domain stands."""
    for match in _URL.finditer(folded):
        scheme, slashes, rest = match[1], match[2], match[3]
        if slashes:
            authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
            yield scheme, _bare_host(authority)
        elif scheme in _SCHEMES_WITHOUT_SLASHES and scheme != "mailto":
            yield scheme, ""
    for match in _DOMAIN.finditer(folded):
        if match[0].rpartition(".")[2] not in _FILE_ENDINGS:
            yield "", _bare_host(match[0])


def _bare_host(authority: str) -> str:
    host = authority.rpartition("@")[2]
    host = re.sub(r":\d*$", "", host).rstrip(".,;:!?)]}'\"")
    return host.removeprefix("www.")


def _find_addresses(folded: str) -> set[str]:
    return {match[0].strip(".") for match in _EMAIL.finditer(folded)}


def _check_private(text: str, private: Any, case: _PublicCase) -> Iterator[GuardHit]:
    if private is None:
        return
    secrets = [leaf for leaf in _list_leaves(private) if not isinstance(leaf, bool) and leaf is not None]
    latin = text.translate(_LOOKALIKES)
    for form in (text, *([latin] if latin != text else []), *_decode(text)):
        said = _Said(form)
        if any(_leaks(leaf, said, case) for leaf in secrets):
            yield GuardHit("private", "something of the private knowledge")
            return


class _Said:
    """An outgoing text in the forms that private knowledge is compared with."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.folded = fold_letters(text)
        self.words = frozenset(split_words(text))
        patterns = (_SPELLED_NUMBER, _GROUPED_NUMBER)
        spelled = (re.sub(r"\D", "", match[0]) for pattern in patterns for match in pattern.finditer(text))
        self.numbers = find_numbers(text) | {number.lstrip("0") for number in spelled}
        self.amounts = find_amounts(text)

    @cached_property
    def timeless_numbers(self) -> frozenset[str]:
        """The numbers without those of dates and times: "at 10:30 on 15 March" tells no secret of two figures."""
        text = unicodedata.normalize("NFKC", self._text).casefold()
        for found in reversed(find_dates(text, _ANY_DAY)):
            if found.is_exact:
                text = f"{text[: found.start]} {text[found.end :]}"
        return find_numbers(_TIME_OF_DAY.sub(" ", text)) | (self.numbers - find_numbers(self._text))

    @cached_property
    def with_edges(self) -> Folded:
        """The text in which a short secret is looked for as a word of its own, also spelled: "K9x", "K 9 x"."""
        return fold_text(self._text)


def _decode(text: str) -> Iterator[str]:
    """Yield what base64 and hexadecimal passages of the text say."""
    for match in _CODED.finditer(text):
        code = match[0].rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
        with suppress(ValueError):
            yield base64.b64decode(code + "=" * (-len(code) % 4)).decode("utf-8", "ignore")
        with suppress(ValueError):
            yield bytes.fromhex(code).decode("utf-8", "ignore")


def _leaks(leaf: Any, said: _Said, case: _PublicCase) -> bool:
    folded, words, numbers = said.folded, said.words, said.numbers
    if isinstance(leaf, float) and not leaf.is_integer():
        return Decimal(str(leaf)).normalize() in said.amounts - case.amounts
    if isinstance(leaf, int | float):
        secret = {number for number in find_numbers(str(int(leaf))) if len(number) >= 2}
        is_small = all(len(number) == 2 for number in secret)
        return bool(secret & (said.timeless_numbers if is_small else numbers) - case.numbers)
    secret_text = fold_letters(str(leaf))
    # A figure inside a private sentence tells as much as the sentence; a year near now does not.
    figures = {number for number in find_numbers(str(leaf)) if len(number) >= 3 and not _is_year(number)}
    if figures & numbers - case.numbers:
        return True
    if not secret_text or secret_text in case.folded:
        return False
    if len(secret_text) < MIN_LEAF_CHARS:
        if len(secret_text) >= 3 and secret_text not in _COMMON_WORDS and said.with_edges.holds(secret_text):
            return True
        return any(
            word in words and word not in case.words and word not in _COMMON_WORDS and len(word) >= 3
            for word in split_words(str(leaf))
        )
    if secret_text in folded or secret_text[::-1] in folded:
        return True
    shared = _cut_windows(secret_text) & _cut_windows(folded)
    return any(window not in case.folded for window in shared)


def _cut_windows(folded: str) -> frozenset[str]:
    return frozenset(folded[start : start + WINDOW_CHARS] for start in range(len(folded) - WINDOW_CHARS + 1))


def _is_year(number: str) -> bool:
    return len(number) == 4 and "2015" <= number <= "2045"


def _without_private(knowledge: Any) -> Any:
    """Return the knowledge without `private`, should a caller have left it in."""
    if isinstance(knowledge, Mapping):
        return {name: value for name, value in knowledge.items() if name != "private"}
    return knowledge


def _list_leaves(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif item is not None:
            yield item
