"""Dates that people write in mail, six languages, as calendar days; must not guess where day and month are unclear.

dateparser is right on "3 December" and wrong on prose ("We" is Wednesday, "may" is May), on "nächsten Dienstag", "the
12th", "end of the month": phrases are cut out by pattern first, and those are counted by hand.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dateparser

MORNING = time(9, 0)
MAX_DATES = 50
LANGUAGES = ["en", "de", "fr", "es", "it", "nl"]


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date phrase in a folded text. `day` is None where it can be read two ways, like 04/05."""

    day: date | None
    start: int
    end: int
    # The phrase names this very day; "end of March" and "in two weeks" only point near it.
    is_exact: bool


def find_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of that name, UTC when there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def at_morning(day: date, zone: ZoneInfo) -> datetime:
    """Return nine o'clock of that day in that zone, as UTC."""
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def find_dates(folded: str, today: date) -> list[FoundDate]:
    """Return the dates a folded text speaks of, in the text's order, seen from the day it was written.

    A phrase is read once: "Friday next week" is one date. Days that are clearly past ("last Tuesday") are left out.
    """
    found: list[FoundDate] = []
    taken: list[tuple[int, int]] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(folded):
            if len(taken) >= MAX_DATES:
                break
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            found += [FoundDate(day, match.start(), match.end(), read in _EXACT) for day in read(match, today)]
    return sorted(found, key=lambda item: item.start)


Days = Sequence[date | None]
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    "|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    "|januar|janner|februar|marz|mai|juni|juli|oktober|dezember|okt|dez"
    "|janvier|fevrier|mars|avril|juin|juillet|aout|septembre|octobre|novembre|decembre"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
    "|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre"
    "|januari|februari|maart|mei|augustus"
)
WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon montag lundi lunes lunedi maandag",
            "tuesday tue tues dienstag mardi martes martedi dinsdag",
            "wednesday wed mittwoch mercredi miercoles mercoledi woensdag",
            "thursday thu thur thurs donnerstag jeudi jueves giovedi donderdag",
            "friday fri freitag vendredi viernes venerdi vrijdag",
            "saturday samstag sonnabend samedi sabado sabato zaterdag",
            "sunday sonntag dimanche domingo domenica zondag",
        )
    )
    for name in names.split()
}
_NUMBERS = {
    name: number
    for number, names in {
        1: "a an one another ein eine einen einem einer un une una uno een",
        2: "two zwei deux dos due twee couple couple_of paar",
        3: "three drei trois tres tre drie few several",
        4: "four vier quatre cuatro quattro",
        5: "five funf cinq cinco cinque vijf",
        6: "six sechs seis sei zes",
        7: "seven sieben sept siete sette zeven",
        8: "eight acht huit ocho otto",
        10: "ten zehn dix diez dieci tien",
    }.items()
    for name in names.split()
}
_DAY_WORDS = r"business days?|working days?|days?|tage?n?|werktagen?|jours?|dias?|giorni|giorno|dagen|dag"
_WEEK_WORDS = r"weeks?|wochen?|semaines?|semanas?|settimane|settimana|weken"
_MONTH_WORDS = r"months?|monaten?|monate|mois|meses|mesi|mese|maanden"
_HOUR_WORDS = r"hours?|minutes?|stunden?|heures?|horas?|ore|uur"
_NEXT = r"next|nachste[nrm]?|volgende|proxim[oa]|prossim[oa]"
_AFTER_NEXT = r"prochaine?|proxim[oa]|prossim[oa]|next week|nachste woche|la semaine prochaine|volgende week"
_PAST = r"last|letzte[nr]?|vergangene[nr]?|vorige|afgelopen"
_PAST_AFTER = r"derniere?|pasad[oa]|scors[oa]|last week|letzte woche"


def _read_iso(match: re.Match[str], _today: date) -> Days:
    return [_make(int(match[1]), int(match[2]), int(match[3]))]


def _read_dotted(match: re.Match[str], today: date) -> Days:
    """Read "03.12." and "3.12.2026": with dots the day always comes first."""
    return [_complete(int(match[1]), int(match[2]), match[3], today)]


def _read_slashed(match: re.Match[str], today: date) -> Days:
    first, second = int(match[1]), int(match[2])
    if first <= 12 and second <= 12 and first != second:
        return [None]
    day, month = (first, second) if first > 12 or first == second else (second, first)
    return [_complete(day, month, match[3], today)]


def _read_named(match: re.Match[str], today: date) -> Days:
    """Read a day and a month's name; without a year it is the next such day."""
    return _parse_named(match[0], today)


def _parse_named(phrase: str, today: date) -> Days:
    plain = re.sub(r"(?<=\d)(st|nd|rd|th|er|\.)(?=\W)|\b(the|of|de|del)\b|,", " ", phrase)
    parsed = dateparser.parse(
        " ".join(plain.split()),
        languages=LANGUAGES,
        settings={
            "RELATIVE_BASE": datetime.combine(today, time.min),
            "PREFER_DATES_FROM": "future",
            "REQUIRE_PARTS": ["day", "month"],
            "PARSERS": ["absolute-time"],
        },
    )
    return [parsed.date()] if parsed is not None else []


def _read_part_of_month(match: re.Match[str], today: date) -> Days:
    """Read "mid-December", "Anfang Dezember", "in December"; of the month that runs, nothing is said."""
    first = next(iter(_parse_named(f"1 {match['month']}", today)), None)
    if first is None or (first.month, first.year) == (today.month, today.year + 1):
        return []
    part = match["part"] or ""
    if re.match(r"mid|mitte|mi-|mediados|meta|half", part):
        return [first.replace(day=15)]
    return [_last_of_month(first) if re.match(r"end|late|ende|fin|finales|eind", part) else first]


def _read_weekday(match: re.Match[str], today: date) -> Days:
    if match["past"] or match["past_after"]:
        return []
    number = WEEKDAYS[match["weekday"]]
    if match["next"] or match["after"] or match["week"]:
        # "Next Tuesday" is the one in the coming calendar week, be it said on a Monday or on a Friday.
        return [_next_monday(today) + timedelta(days=number)]
    return [today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)]


def _read_duration(match: re.Match[str], today: date) -> Days:
    if match["ago"] or match["since"]:
        return []
    word = re.sub(r"^(an?|the|un|ein) (?=\w)| (of|de)$", "", match["count"])
    count, unit = int(word) if word.isdecimal() else _NUMBERS.get(word, 1), match["unit"]
    if re.fullmatch(_HOUR_WORDS, unit):
        return [today + timedelta(days=1)]
    if re.match(r"business|working|werktag", unit):
        return [_add_business_days(today, count)]
    is_weeks, is_months = re.fullmatch(_WEEK_WORDS, unit), re.fullmatch(_MONTH_WORDS, unit)
    return [today + timedelta(days=count * (7 if is_weeks else 30 if is_months else 1))]


def _read_ordinal(match: re.Match[str], today: date) -> Days:
    """Read "the 12th": the next twelfth."""
    months = [(today.year + (today.month - 1 + ahead) // 12, (today.month - 1 + ahead) % 12 + 1) for ahead in range(3)]
    candidates = [_make(year, month, int(match[1])) for year, month in months]
    return [day for day in candidates if day is not None and day > today][:1]


def _next_monday(today: date) -> date:
    return today + timedelta(days=7 - today.weekday())


def _complete(day: int, month: int, year: str | None, today: date) -> date | None:
    if year:
        return _make(int(year) + (2000 if len(year) == 2 else 0), month, day)
    candidate = _make(today.year, month, day)
    return candidate if candidate is None or candidate >= today else _make(today.year + 1, month, day)


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _add_business_days(day: date, count: int) -> date:
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


_COUNT = rf"\d{{1,3}}|(?:an? |the |un |ein )?(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?: of| de)?"
_PARTS = (
    r"early|mid|late|end of|beginning of|anfang|mitte|ende|debut|mi-|fin|principios de|mediados de|finales de"
    r"|inizio|meta|fine|begin|half|eind"
)
_PREPOSITIONS = r"in|im|en|a|until|before|bis|ab|nach"
_ORDINAL = r"\d{1,2}(?:st|nd|rd|th|er|\.)?"
_WEEKDAY = "|".join(sorted(WEEKDAYS, key=len, reverse=True))
_WEEKDAY_PHRASE = (
    rf"(?:(?P<past>{_PAST}) |(?P<next>{_NEXT}) )?(?P<weekday>{_WEEKDAY})"
    rf"(?: (?:(?P<after>{_AFTER_NEXT})|(?P<past_after>{_PAST_AFTER})))?"
    r"(?: (?:of |in )?(?P<week>next week|der nachsten woche|que viene))?"
)
_DURATION_PHRASE = (
    rf"(?P<since>(?:(?:the )?(?:last|past)|vor|hace|il y a|for the) )?(?P<count>{_COUNT}) (?:more |weitere )?"
    rf"(?P<unit>{_DAY_WORDS}|{_WEEK_WORDS}|{_MONTH_WORDS}|{_HOUR_WORDS})"
    r"(?P<ago> (?:ago|fa|geleden|earlier))?"
)
Reader = Callable[[re.Match[str], date], Days]
# The longest phrase first: what one reader took, the next does not see.
_TABLE: tuple[tuple[Reader, tuple[str, ...]], ...] = (
    (_read_iso, (r"(\d{4})-(\d{2})-(\d{2})(?:t\d{2}:\d{2}[\d:.+z-]*)?",)),
    (_read_dotted, (r"(\d{1,2})\. ?(\d{1,2})\.(?: ?(\d{4}|\d{2}))?",)),
    (_read_slashed, (r"(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?",)),
    (_read_named, (rf"(?:the )?{_ORDINAL} ?(?:of |de |del )?(?:{_MONTHS})\.?(?:,? (?:de |del )?20\d\d)?",)),
    (_read_named, (rf"(?:{_MONTHS})\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?:,? 20\d\d)?",)),
    (_read_part_of_month, (rf"(?:(?P<part>{_PARTS})[ -]?|(?:{_PREPOSITIONS}) )(?P<month>{_MONTHS})",)),
    (
        lambda _match, today: [_next_monday(today) + timedelta(days=7)],
        (r"(?:the )?week after next", "ubernachste woche"),
    ),
    (
        lambda _match, today: [_next_monday(today) + timedelta(days=4)],
        (r"(?:the )?end of next week", "ende nachster woche", "eind volgende week"),
    ),
    (
        _read_weekday,
        (_WEEKDAY_PHRASE,),
    ),
    (
        lambda _match, today: [_next_monday(today)],
        (
            r"next week|(?:in der |die )?(?:nachste[nr]?|kommende[nr]?) woche|(?:la )?semaine prochaine|volgende week",
            r"la (?:proxima semana|semana (?:que viene|proxima))|(?:la )?(?:prossima settimana|settimana prossima)",
            r"(?:after|nach) the weekend|nach dem wochenende|na het weekend",
        ),
    ),
    (
        lambda _match, today: [today + timedelta(days=(3 - today.weekday()) % 7 + 1)],
        (
            r"(?:the )?end of (?:the|this) week|ende (?:der|dieser) woche|(?:la )?fin de (?:la )?semaine",
            r"(?:finales|final|fin) de (?:la )?semana|fine settimana|(?:het )?einde? van de week",
        ),
    ),
    (
        lambda _match, today: [_last_of_month(today)],
        (
            r"(?:the )?end of (?:the|this) month|ende des monats|monatsende|(?:la )?fin du mois",
            r"(?:finales|fin) de mes|fine mese|(?:het )?einde? van de maand",
        ),
    ),
    (
        lambda _match, today: [_last_of_month(today) + timedelta(days=1)],
        (
            r"next month|nachsten monat|(?:le )?mois prochain|(?:el )?proximo mes|volgende maand",
            r"(?:il )?(?:prossimo mese|mese prossimo)",
        ),
    ),
    (
        _read_duration,
        (_DURATION_PHRASE,),
    ),
    (
        lambda _match, today: [today + timedelta(days=2)],
        ("(?:the )?day after tomorrow", "ubermorgen", "apres-demain", "pasado manana", "dopodomani", "overmorgen"),
    ),
    (
        # "Today" as well: the day must be over before asking again is fair.
        lambda _match, today: [today + timedelta(days=1)],
        (
            r"tomorrow|(?<!guten )(?<!am )morgen|demain|(?<!por la )(?<!de la )manana|domani",
            r"today|tonight|this (?:afternoon|evening)|end of (?:the )?day|eod|cob",
            r"heute|aujourd'hui|hoy|oggi|vandaag",
        ),
    ),
    (_read_ordinal, (r"the (\d{1,2})(?:st|nd|rd|th)",)),
)
_READERS = tuple(
    (re.compile(rf"(?<![\w/])(?<!\d[.-])(?:{'|'.join(phrases)})(?![\w/])"), reader) for reader, phrases in _TABLE
)
_EXACT = (_read_iso, _read_dotted, _read_slashed, _read_named, _read_weekday, _read_ordinal)
