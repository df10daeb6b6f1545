"""Turns an objective written for us into a request spoken to them; must not send our instructions along."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cases.agent.guard import remove_invisible
from cases.agent.offline.reading import shorten
from cases.agent.protocol import CaseView

MAX_REQUEST_CHARS = 300

_DETERMINER = re.compile(
    r"(?:a|an|the|your|our|their|his|her|its|any|all|some|each|both|this|that|these|those|one|two|three|four|five|six"
    r"|several|many|more|another|\d[\w.,]*|[A-Z][\w-]*(?:'s|s'))(?= )"
)
_CLAUSE = re.compile(r"(?:whether|if|when|what|which|who|where|why|how)\b", re.IGNORECASE)


# "Collect the W-9 without mentioning the audit": the second half is for our ears.
_ORDER_TO_US = re.compile(
    r",?\s+(?:but|and)?\s*(?:do not|don't|never|without|avoid)"
    r" (?:mention|tell|reveal|say|disclos|refer|offer|accept)\w*.*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """What we want from them, in the forms that a first mail, a reminder and a subject line need."""

    # A whole sentence: "Could you please send me a signed W-9?"
    request: str
    # The same, once `matter` is named: "Could you please send this to me in the next few days?"
    again: str
    # After "I am coming back to": "the signed W-9".
    matter: str
    subject: str


def has_meaning(objective: str) -> bool:
    """Say whether an objective says anything: fewer than two words do not."""
    return sum(1 for word in objective.split() if re.search(r"[^\W_]", word)) >= 2


def build_ask(objective: str, view: CaseView) -> Ask:
    """Return the request in the objective's first sentence, spoken to the counterparty.

    What follows the first sentence is how the client wants us to go about it, and stays with us.
    """
    text = _speak_to_them(_first_sentence(objective), view)
    for pattern, build in _FORMS:
        match = re.match(rf"(?:please )?(?:to )?{pattern}(?P<rest>\S.*)$", text, re.IGNORECASE)
        if match is not None:
            form = build(match["rest"].strip(" .!,;:"))
            break
    else:
        form = _tell_about(text)
    return Ask(form.request, form.again, form.matter, _make_subject(form.topic, form.tie, view))


def _first_sentence(objective: str) -> str:
    flat = " ".join(remove_invisible(objective).split())
    first = re.split(r"(?<=[a-z0-9)])[.!?]\s+(?=[A-Z])|;\s|\s[-\u2013\u2014]\s|:\s", flat, maxsplit=1)[0]
    first = _ORDER_TO_US.sub("", first)
    return shorten(first.strip(" .!;,"), MAX_REQUEST_CHARS)


_PRONOUNS: tuple[tuple[str, str], ...] = (
    (r"\bthe (?:vendor|supplier|candidate|counterparty|contact)(?:'|\u2019)s\b", "your"),
    (r"\s+(?:from|with) (?:the (?:vendor|supplier|candidate|counterparty|contact)|them|him|her)\b(?! [a-z]+s\b)", ""),
    (r"\bthe (?:vendor|supplier|candidate|counterparty)\b", "you"),
    (r"\b(?:she|he) is\b", "you are"),
    (r"\b(?:she|he) has\b", "you have"),
    (r"\b(?:they|she|he)\b", "you"),
    (r"\b(?:their|his|her)\b(?= [\w-])", "your"),
    (r"\b(?:them|him)\b", "you"),
    (r"\byou (want|need|accept|agree|offer|plan|prefer|ship|deliver|sign|send|confirm|attend)s\b", r"you \1"),
)


def _speak_to_them(text: str, view: CaseView) -> str:
    """Return the text with the counterparty spoken to: "from Maya at Northstar" goes, "their" is "your"."""
    full = " ".join(remove_invisible(view.counterparty_name).split())
    company = " ".join(remove_invisible(view.counterparty_company).split())
    people = {name for name in (full, first_name(full)) if len(name) >= 2}
    companies = {name for name in (company, company.split(" ")[0] if company else "") if len(name) >= 4}
    at_company = r"(?:\s+(?:at|of|from)\s+[A-Z][\w&.-]*(?: [A-Z][\w&.-]*)*)?"
    for name in sorted(people, key=len, reverse=True):
        person = re.escape(name) + r"\b"
        text = re.sub(rf"\s+(?:from|with|of)\s+{person}(?!['\u2019]s){at_company}", "", text)
        text = re.sub(rf"\b{person}(?:'s|\u2019s|')(?=\s)", "your", text)
        text = re.sub(rf"\b{person}{at_company}", "you", text)
    for name in sorted(companies, key=len, reverse=True):
        firm = re.escape(name) + r"\b"
        text = re.sub(rf"\s+(?:from|with)\s+{firm}(?!['\u2019]s|\s+[A-Z])", "", text)
        text = re.sub(rf"\bof\s+{firm}(?!['\u2019]s|\s+[A-Z])", "of your company", text)
        text = re.sub(rf"\b{firm}(?:'s|\u2019s|')(?=\s)", "your", text)
        text = re.sub(rf"^(ask|remind|tell|get|have)\s+{firm}(?=\s)", r"\1 you", text, flags=re.IGNORECASE)
    for pattern, word in _PRONOUNS:
        text = re.sub(pattern, word, text, flags=re.IGNORECASE)
    return text


@dataclass(frozen=True, slots=True)
class _Form:
    request: str
    again: str
    matter: str
    topic: str
    # The word that ties our company to the topic in a subject line, "" for none.
    tie: str = ""


def _ask_to_send(rest: str) -> _Form:
    if _CLAUSE.match(rest) or rest.startswith("that "):
        return _ask_to_tell(rest)
    thing = rest if _DETERMINER.match(rest) else f"your {rest}"
    again = "Could you please send this to me in the next few days?"
    return _Form(f"Could you please send me {thing}?", again, _definite(thing), _bare(rest), "for")


def _ask_to_confirm(rest: str) -> _Form:
    again = "Could you please confirm this in the next few days?"
    if rest.lower().startswith("that "):
        fact = rest[5:]
        return _Form(f"Could you please confirm {rest}?", again, f"my question whether {fact}", _bare(fact))
    if _CLAUSE.match(rest):
        return _Form(f"Could you please confirm {rest}?", again, _question(rest), "A question", "from")
    return _Form(f"Could you please confirm {_with_article(rest)}?", again, _definite(rest), _bare(rest))


def _ask_to_tell(rest: str) -> _Form:
    rest = re.sub(r"^(?:about|for)\s+", "", rest)
    again = "Could you please let me know in the next few days?"
    if _CLAUSE.match(rest):
        return _Form(f"Could you please let me know {rest}?", again, _question(rest), "A question", "from")
    return _Form(f"Could you please let me know {_with_article(rest)}?", again, _definite(rest), _bare(rest))


def _ask_to_act(rest: str) -> _Form:
    again = "Could you please do this in the next few days?"
    return _Form(f"Could you please {rest}?", again, f"my request to {rest}", f"Request to {rest}")


def _ask_for_time(rest: str) -> _Form:
    thing = rest if _DETERMINER.match(rest) else f"a {rest}"
    again = "Which times would suit you?"
    return _Form(f"I would like to arrange {thing}. {again}", again, _definite(rest), _bare(rest), "with")


def _ask_for_new_time(rest: str) -> _Form:
    thing = _with_article(rest)
    again = "What would suit you?"
    return _Form(f"I would like to find a new time for {thing}. {again}", again, f"a new time for {thing}", _bare(rest))


def _ask_to_discuss(rest: str) -> _Form:
    again = "What would you suggest?"
    return _Form(
        f"I would like to discuss {_with_article(rest)} with you. {again}", again, _definite(rest), _bare(rest)
    )


def _ask_about(rest: str) -> _Form:
    again = "Could you please let me know where this stands?"
    return _Form(f"I am writing about {_with_article(rest)}. {again}", again, _definite(rest), _bare(rest))


def _tell_about(text: str) -> _Form:
    again = "Could you please get back to me on this?"
    return _Form(f"I am writing to you about the following: {text}. {again}", again, f"my message ({text})", text)


def _question(clause: str) -> str:
    if re.match(r"(?:whether|if)\b", clause, re.IGNORECASE):
        return f"my question whether {clause.split(' ', 1)[-1]}"
    return f"my question about {clause}"


_ABOUT = r"(?:on|about|regarding|concerning|over)"
_FORMS: tuple[tuple[str, Callable[[str], _Form]], ...] = (
    (r"(?:ask|get|request|remind|tell|invite|persuade) (?:you|for you) to ", _ask_to_act),
    (r"have you (?=\w)", _ask_to_act),
    (r"(?:ask you for|ask for|remind you to send) ", _ask_to_send),
    (rf"(?:ask|remind) you (?:about|of) |(?:follow up|get in touch|check in)(?: with you)? {_ABOUT} ", _ask_about),
    (r"chase up ", _ask_about),
    (r"(?:ask|tell) (?:you )?", _ask_to_tell),
    (r"(?:confirm|verify|validate) (?:with you )?", _ask_to_confirm),
    (r"(?:find out|learn|determine|clarify|check|establish|inquire|enquire) (?:with you )?", _ask_to_tell),
    (
        r"(?:collect|get|obtain|request|gather|receive|secure|fetch|acquire|retrieve|procure|solicit|chase) ",
        _ask_to_send,
    ),
    (r"(?:schedule|arrange|book|set up|organi[sz]e|plan) ", _ask_for_time),
    (r"(?:reschedule|postpone|move) ", _ask_for_new_time),
    (rf"(?:negotiate|discuss|agree|talk)(?: {_ABOUT}| with you)? ", _ask_to_discuss),
)


def _with_article(phrase: str) -> str:
    # "invoice 4711" is a name and takes none.
    has_none = _DETERMINER.match(phrase) or _CLAUSE.match(phrase) or re.match(r"\w+ (?:no\.? |#)?[A-Z-]{0,4}\d", phrase)
    return phrase if has_none else f"the {phrase}"


def _bare(phrase: str) -> str:
    return re.sub(r"^(?:a|an|the|your|our|any|some)\s+", "", phrase, flags=re.IGNORECASE)


def _definite(phrase: str) -> str:
    if re.match(r"(?:a|an|any|some)\s", phrase, re.IGNORECASE):
        return f"the {_bare(phrase)}"
    return _with_article(phrase)


def _make_subject(topic: str, tie: str, view: CaseView) -> str:
    """Return the topic as a subject line, with our company where there is room: "Signed W-9 for Acme"."""
    subject = shorten(topic[:1].upper() + topic[1:], 80)
    company = " ".join(remove_invisible(view.persona.company).split())
    if not tie or not company or len(subject) + len(company) > 70 or company.casefold() in subject.casefold():
        return subject
    has_place = re.search(r"\b(?:for|by|before|to|until|about|of|that)\b", subject)
    return subject if has_place else f"{subject} {tie} {company}"


_TITLES = re.compile(r"^(?:mr|mrs|ms|miss|dr|prof|herr|frau|mme|sr|sra)\.?\s+", re.IGNORECASE)
_NOT_A_PERSON = re.compile(
    r"\b(?:team|department|dept|office|support|sales|billing|accounts?|accounting|finance|service|desk|info|gmbh|llc|inc"
    r"|ltd|corp|company|group|ag|customer)\b|@|\d",
    re.IGNORECASE,
)


def first_name(name: str) -> str:
    """Return what to call a person by, "" when the name is a team's or a company's: "Lin, Maya" is Maya."""
    plain = " ".join(remove_invisible(name).split())
    if not plain or _NOT_A_PERSON.search(plain) or len(plain) > 80:
        return ""
    if re.fullmatch(r"[^,]+, [^,]+", plain):
        plain = plain.split(", ")[1]
    called = _TITLES.sub("", plain).split(" ")[0].strip(".,")
    return called if len(called) > 1 else ""
