"""What a person wrote for a field, as the value its schema wants; refuses rather than guesses."""

import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cases.agent.offline.dates import WEEKDAYS, find_dates
from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.reading import fold
from cases.agent.wanted import WantedField

MAX_VALUE_CHARS = 500

_YES = compile_phrases(r"^(yes|y|true|ja|oui|si|x|correct|confirmed|done|affirmative)\b")
_NO = compile_phrases(r"^(no|n|false|nein|non|nee|none)\b")
# Words that stand where a value should.
_NO_VALUE = compile_phrases(
    r"""
    ^\W*(tbd|tbc|tba|n/?a|none yet|unknown|pending|open|see (attached|attachment|below|above|file|form|pdf|enclosed).*)$
    ^\W*(attached|as attached|later|soon|tomorrow|next week|to follow|follows)$
    ^\W*not (yet )?(known|available|sure|decided).*$
    ^\W*(to be (confirmed|decided|determined|announced|provided)|as (before|discussed|above))$
    ^\W*(same|as) (as|on|in|per|for)? ?.*$
    ^\W*(same|unchanged|confidential|private|withheld|refused|declined|on file|already .*)$
    ^\W*(folgt|noch offen|unbekannt|siehe (anhang|anlage|unten)|voir (piece jointe|ci-joint)|a suivre|ver adjunto)$
    ^\W*(vedi allegato|zie bijlage|volgt)$
    ^[x\W_]{3,}$
    ^[0\W_]{5,}$
    """
)
_HEDGE = compile_phrases(
    r"""
    (maybe|perhaps|probably|possibly|i think|i guess|i believe|not sure|unsure|about|approx*|around|roughly|circa)
    (to be confirmed|tbc|tbd|will (send|follow|provide|confirm|let)|(i'll|we'll))
    (cannot|can't|don't know|do not know|no idea)
    (either|or so|estimated?|subject to|not (yet )?(final|confirmed))
    (vielleicht|ungefahr|environ|quizas|forse|misschien)
    (old|former*|previous*|expired|outdated|invalid|wrong|example|placeholder|dummy|test|your name( here)?|each|per)$
    (old|former*|previous*|expired|outdated|invalid|wrong|alt|veraltet|ancien*|antigu*|vecchi*|oud)\W*$
    """
)
# A remark, where only text is wanted: "Address: we moved recently".
_REMARK = compile_phrases(
    r"""
    ^\W*(i|we|you|they|he|she|please|sorry|unfortunately|ask|contact|check|no|not|yes|ok|okay|sure|hm+|what|which|why)
    (attached|enclosed|attachment|let me know|please|thanks|thank you|i'm|i am|if you|but|however)
    """
)
# "12-3456789, form attached" is a value and a remark.
_TAIL = re.compile(
    r"[,;]\s*(?:(?:the|signed|form|file|document|copy|is|see|please|and|w-?9)\s+)*"
    r"(?:attached|enclosed|thanks|thank you)\W*$"
    r"|\s*\((?:see )?(?:attached|enclosed)\)$",
    re.IGNORECASE,
)
_TURN = re.compile(r"\b(but|not|no|if|when|once|only|except|aber|mais|pero|ma|maar)\b")
_SHORT_FORMS = re.compile(r"(?:^|[\s.])(inc|ltd|co|corp|llc|gmbh|bros|st|jr|sr|no|\w)\.$", re.IGNORECASE)
_CURRENCY = r"(?:eur|usd|gbp|chf|cad|aud|jpy|sek|nok|dkk|pln|us\$|\u20ac|\$|\u00a3|%)"
_DIGITS = r"[+-]?\d[\d.,' \u00a0\u202f]*"


class NoValue(Exception):
    """What stands there is no value of the wanted type."""


def coerce(written: str, field: WantedField, today: date, zone: ZoneInfo) -> Any:
    """Return the value of the field's type that the text plainly is; NoValue for anything hedged or unclear."""
    text = " ".join(written.split()).strip(' *_`\u201c\u201d"')
    folded = fold(text)
    if not text or len(text) > MAX_VALUE_CHARS or text.endswith("?") or not re.search(r"[^\W_]", text):
        raise NoValue
    if _NO_VALUE.search(folded) or _HEDGE.search(folded):
        raise NoValue
    if field.choices:
        return _coerce_choice(folded, field.choices)
    if field.type == "array":
        return _coerce_list(text, field, today, zone)
    return _coerce_single(text, folded, field.type, field.format, today, zone)


def _coerce_single(text: str, folded: str, kind: str, form: str, today: date, zone: ZoneInfo) -> Any:
    if kind == "boolean":
        return _coerce_boolean(folded)
    if kind in ("integer", "number"):
        number = parse_number(folded, is_whole=kind == "integer")
        if number is None:
            raise NoValue
        return number
    if kind in ("object", "array"):
        raise NoValue
    if form == "date":
        return _coerce_date(folded, today).isoformat()
    if form == "date-time":
        return _coerce_moment(text, folded, today, zone)
    if form == "email":
        addresses = re.findall(r"[^\s<>()\[\],;:]+@[^\s<>()\[\],;:]+\w", text)
        if len(addresses) != 1:
            raise NoValue
        return addresses[0].removeprefix("mailto:")
    text = _TAIL.sub("", text)
    if not text or _REMARK.search(fold(text)):
        raise NoValue
    return text if not text.endswith(".") or _SHORT_FORMS.search(text) else text[:-1].rstrip()


def _coerce_choice(folded: str, choices: tuple[Any, ...]) -> Any:
    def simplify(value: Any) -> str:
        return re.sub(r"[\s_\-./]+", "", fold(str(value)))

    wanted = simplify(folded)
    found = [choice for choice in choices if simplify(choice) == wanted]
    if len(found) != 1:
        raise NoValue
    return found[0]


def _coerce_list(text: str, field: WantedField, today: date, zone: ZoneInfo) -> list[Any]:
    items = [item.strip(" .") for item in re.split(r"[;\n]" if ";" in text else r",", text) if item.strip(" .")]
    one = WantedField(name=field.name, type=field.item_type or "string", choices=field.item_choices)
    return [coerce(item, one, today, zone) for item in items]


def _coerce_boolean(folded: str) -> bool:
    tail = re.sub(r"^\w+", "", folded).strip(" .!")
    is_plain = len(tail.split()) <= 4 and not _TURN.search(tail)
    if is_plain and _YES.search(folded):
        return True
    # "No, ..." and not "no problem", which is a yes.
    if is_plain and _NO.search(folded) and not re.match(r"\w", tail):
        return False
    raise NoValue


def parse_number(folded: str, *, is_whole: bool) -> int | float | None:
    """Return the one number the text is, None when it is not one or can be read two ways.

    "1,250", "1 250" and "1.250.000" have thousands separators; "1.250" has one only where the number must be whole.
    A currency or one word of unit may stand beside it.
    """
    match = re.fullmatch(rf"{_CURRENCY}? ?({_DIGITS}) ?(?:{_CURRENCY}|[a-z]{{2,20}})?\.?", folded)
    if match is None or re.search(r"\d ?[km]\b|(hundred|thousand|million)s?\b", folded):
        return None
    digits = re.sub(r"[' \u00a0\u202f]", " ", match[1]).rstrip(" .,")
    if re.fullmatch(r"[+-]?\d+", digits):
        whole: str | None = digits
    elif re.fullmatch(r"[+-]?\d{1,3}( \d{3})+|[+-]?[1-9]\d{0,2}(,\d{3})+|[+-]?[1-9]\d{0,2}(\.\d{3}){2,}", digits):
        whole = re.sub(r"[ ,.]", "", digits)
    elif is_whole and re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", digits):
        whole = digits.replace(".", "")
    else:
        whole = None
    if whole is not None:
        return int(whole) if len(whole) <= 16 else None
    return None if is_whole and not re.search(r"[.,]0+$", digits) else _parse_fraction(digits, is_whole=is_whole)


def _parse_fraction(digits: str, *, is_whole: bool) -> int | float | None:
    if re.fullmatch(r"[+-]?\d{1,3}([ ,]\d{3})*\.\d{1,6}", digits) or re.fullmatch(r"[+-]?\d+\.\d{1,6}", digits):
        # "1.250" may be a thousand and a quarter or one and a quarter.
        if re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", digits):
            return None
        value = float(re.sub(r"[ ,]", "", digits))
    elif re.fullmatch(r"[+-]?\d{1,3}([ .]\d{3})*,\d{1,2}", digits) or re.fullmatch(r"[+-]?\d+,\d{1,2}", digits):
        value = float(re.sub(r"[ .]", "", digits).replace(",", "."))
    else:
        return None
    return int(value) if is_whole else value


def _coerce_date(folded: str, today: date) -> date:
    """Return the one day the text names; a weekday beside it must be that day's."""
    found = find_dates(folded, today)
    if len(found) == 2 and folded[found[0].start : found[0].end] in WEEKDAYS:
        weekday, found = found[0], found[1:]
        if found[0].day is None or found[0].day.weekday() != WEEKDAYS[folded[weekday.start : weekday.end]]:
            raise NoValue
    if len(found) != 1 or found[0].day is None or not found[0].is_exact:
        raise NoValue
    before, after = folded[: found[0].start], folded[found[0].end :].strip(" .,!")
    before = re.sub(rf"\b({'|'.join(WEEKDAYS)}|on|the|am|le|el|il|op)\b|\W", "", before)
    if before or len(after.split()) > 3 or re.search(r"\b(not|or|earliest|latest|nicht|oder|ou|o)\b", folded):
        raise NoValue
    return found[0].day


def _coerce_moment(text: str, folded: str, today: date, zone: ZoneInfo) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        clock = re.search(r"\b([01]?\d|2[0-3])[:.h]([0-5]\d)\b ?(am|pm)?", folded)
        if clock is None:
            raise NoValue from None
        without_clock = folded[: clock.start()] + folded[clock.end() :]
        day = _coerce_date(re.sub(r"\b(at|um|uhr|a las|alle|om)\b", " ", without_clock).strip(), today)
        hour = int(clock[1]) % 12 + (12 if clock[3] == "pm" else 0) if clock[3] else int(clock[1])
        moment = datetime(day.year, day.month, day.day, hour, int(clock[2]), tzinfo=zone)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
