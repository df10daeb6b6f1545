"""Which lines of a reply are its writer's own; a hint only, the raw text stays the truth."""

import re

import quotequail

# Every quote parser is quadratic on hostile input; below these limits the worst measured took 0.08 s.
MAX_CHARS = 16_000
MAX_LINES = 400
MAX_LINE_CHARS = 1_000

_HEADER_NAMES = (
    r"sent|to|cc|subject|date|gesendet|an|betreff|datum|envoy[ée]|[àa]|objet|enviado|para|asunto"
    r"|fecha|inviato|a|oggetto|data|verzonden|aan|onderwerp"
)
_HEADER = re.compile(rf"\s*\*?({_HEADER_NAMES})\s*\*?\s?:", re.IGNORECASE)
_FIRST_HEADER = re.compile(r"\s*\*?(from|von|de|da|van)\s*\*?\s?:\s?\S", re.IGNORECASE)
_WROTE = re.compile(r"\b(wrote|schrieb|a écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał)\b", re.IGNORECASE)
_FORWARDED = re.compile(
    r"-{2,} ?(original message|ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale"
    r"|oorspronkelijk bericht|forwarded message) ?-{2,}",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"\s*(--\s*$|_{5,}\s*$|sent from my |get outlook for |von meinem .{2,20} gesendet|gesendet von |envoyé de mon "
    r"|enviado desde mi |inviato da |verzonden vanaf "
    r"|(confidentiality notice|disclaimer)\b"
    r"|(this|the information in this|diese|ce|este|questa|deze) (e-?mail|message|nachricht|courriel|correo|bericht)"
    r"\b.{0,80}\b(confidential|privileged|vertraulich|confidentiel|confidencial|riservat|vertrouwelijk)"
    r"|(to|click here to|if you no longer wish .{0,60}) unsubscribe\b)",
    re.IGNORECASE,
)


def split_quoted(text: str) -> tuple[str, str]:
    """Return (fresh, quoted) of a reply's text; (text, "") when nothing of it seems fresh.

    Text past the caps is in neither part.
    """
    capped = _cap(text)
    fresh, quoted = _split(capped)
    return (fresh, quoted) if fresh.strip() else (capped, "")


def find_own_words(text: str) -> str:
    """Return the writer's own words: no quoted mail, no signature block, no legal footer. "" when there are none."""
    fresh, _ = _split(_cap(text))
    kept: list[str] = []
    for line in fresh.split("\n"):
        if _FOOTER.match(line):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def _cap(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")[:MAX_CHARS].split("\n")
    return "\n".join(line[:MAX_LINE_CHARS] for line in lines[:MAX_LINES])


def _split(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    start = _find_quote(lines)
    fresh, quoted = lines[:start], _mark_wrapped(lines[start:])
    first_mark = next((index for index, line in enumerate(quoted) if _is_marked(line)), None)
    if first_mark is not None and first_mark <= 3:
        # A reply below or between the lines it answers: what carries no mark inside a marked quote is fresh.
        fresh += [line for line in quoted[first_mark:] if not _is_marked(line)]
        quoted = quoted[:first_mark] + [line for line in quoted[first_mark:] if _is_marked(line)]
    quoted = [line for line in fresh if _is_marked(line)] + quoted
    fresh = [line for line in fresh if not _is_marked(line)]
    return "\n".join(fresh).strip("\n"), "\n".join(quoted).strip("\n")


def _mark_wrapped(lines: list[str]) -> list[str]:
    """Give the mark back to the rest of a long quoted line that a mail program broke in two."""
    mended = list(lines)
    for index in range(1, len(mended)):
        above = mended[index - 1]
        if mended[index].strip() and not _is_marked(mended[index]) and _is_marked(above) and len(above) >= 65:
            mended[index] = f"> {mended[index]}"
    return mended


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(">")


def _find_quote(lines: list[str]) -> int:
    """Return the index of the first line of a quoted mail, or the number of lines."""
    for index, line in enumerate(lines):
        if _is_intro(line) or _is_intro(" ".join(lines[index : index + 2])) or _FORWARDED.fullmatch(line.strip()):
            return index
        if _FIRST_HEADER.match(line) and sum(bool(_HEADER.match(other)) for other in lines[index : index + 5]) >= 2:
            return index
    parts = quotequail.quote("\n".join(lines), quote_intro_line=True)
    found = len(parts[0][1].split("\n")) if len(parts) > 1 else len(lines)
    # "On Tuesday my colleague wrote:" is somebody telling a story, not a mail program: that one writes a date.
    if found < len(lines) and not _is_intro_of_quote(lines, found):
        return len(lines)
    return found


def _is_intro(line: str) -> bool:
    """Say whether a mail program wrote this line above a quote: short, with a date, "wrote" and a final colon."""
    line = line.strip()
    return len(line) <= 300 and line.endswith(":") and bool(re.search(r"\d", line)) and bool(_WROTE.search(line))


def _is_intro_of_quote(lines: list[str], index: int) -> bool:
    head = " ".join(lines[index : index + 2])
    following = next((line for line in lines[index + 1 :] if line.strip()), "")
    return bool(re.search(r"\d|@|_{10}|-{3}", head)) or following.lstrip().startswith(">")
