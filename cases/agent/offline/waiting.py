"""Whether somebody asks us to wait, and until when; must not decide what the waiting is worth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cases.agent.offline.dates import FoundDate, at_morning, find_dates
from cases.agent.offline.phrases import compile_phrases, list_words
from cases.agent.offline.reading import Reply, fold, split_sentences
from cases.agent.protocol import ThreadMessage

WITHOUT_DATE = timedelta(days=3)

_ABSENT = compile_phrases(
    r"""
    out of (the )?(office|town)
    (i'm|i am|we're|we are|i will be|i'll be|currently) ((on|in) )?(away|travell?ing|unavailable|abroad|on leave|off)
    on (\w+ )?(vacation|holidays?|leave|pto|a business trip)
    (back|return|returning) (to|in|on|from|at|by|tomorrow|next|(the )?(office|week|month)|\w+day)
    (limited access|sick leave|away (until|till|from)|office ... closed|we are closed)
    (abwesend|abwesenheit|im urlaub|nicht im (buro|haus)|auf dienstreise|in elternzeit|nicht erreichbar|ausser haus)
    (wieder (da|erreichbar|im (buro|haus)|zuruck)|zuruck)
    (absente?|en (conges?|vacances|deplacement)|de retour|hors du bureau)
    (de vacaciones|fuera de (la )?oficina|ausente|vuelvo|regreso|volvere|regresare|de viaje)
    (in ferie|fuori (ufficio|sede)|assente|rientro|rientrero|torno|tornero)
    (afwezig|op vakantie|met verlof|niet (op kantoor|aanwezig)|terug (op|in|vanaf))
    """
)
# They are here again, so nobody has to wait for them.
_WAS_ABSENT = compile_phrases(
    r"""
    (i|we) (was|were|have been|had been)
    (i'm|i am|we're|we are)( now)? back( now| from| in the office| again)?(?! (on|in \w+ (day|week)))
    just (got )?(back|returned)
    (ich war|wir waren|j'etais|estuve|estaba|ero|ik was)
    """
)
_RETURN = compile_phrases(
    r"""
    (back|return|returning|returns|available again)
    (zuruck|wieder (da|erreichbar|im (buro|haus)))
    (de retour|vuelvo|regreso|volvere|regresare|rientro|rientrero|torno|tornero|terug)
    """
)
_DO = (
    r"(send*|get|have|repl*|respond*|sign*|come|be in touch|let you|confirm*|provid*|return|check*|do|finish|complete"
    r"|forward*|know|revert|look*|submit*|talk|call|answer*|follow*|see|review*|ask*|try)"
)
# Somebody sets about it; worth a wait even where no day is named.
_PROMISE = compile_phrases(
    rf"""
    (i|we)('ll| will)( be able to)?( \w+)?( \w+ly)? {_DO}
    (i'm|i am|we're|we are) (going to|planning to|hoping to) {_DO}
    (let me (check|look|ask|get|see|find|talk|come back)|bear with (me|us)|will do)
    (working on|looking into|checking with|on it|on my list)
    (soon|shortly|asap)
    (melde|melden) (wir |ich )?(mich|uns)
    (reviens|revenons|enverrai|enverrons|repondrai|repondrons)
    (enviare|enviaremos|mandare|respondere|responderemos|contestare)
    (inviero|invieremo|mandero|rispondero|risponderemo|faro sapere|faremo sapere)
    (laat|laten) ... weten
    """
)
# Says something about time only together with a day: "give me two weeks", "not before Friday", "Sie bekommen es am ..."
_TIMING = compile_phrases(
    rf"""
    (i|we)( can| could| should|'d| would)( be able to)?( \w+)?( \w+ly)? {_DO}
    (i|we) (hope|plan|expect|aim|intend) to {_DO}
    (give (me|us)|you('ll| will) (get|have|receive)|(it|they|this|that)('ll| will) be)
    (need|needs|take|takes) (me |us )?(a|an|another|some|until|till|more|at least|\d+|two|three|few)
    (try|check|write|contact|ping|remind|follow up|reach out) ... (again|back|me|us|in|on|next)
    (get back|come back|speak|call) ... (again|back|me|us|in|on|next)
    (let's|let us)( please)? (talk|speak|discuss|do (this|that|it)|postpone|wait|revisit)
    (not|\w+n't|cannot|unable|earliest|nothing) ... (before|until|till|by)
    by (monday|tuesday|wednesday|thursday|friday|the end|end|tomorrow|next)
    (schicke|schicken|sende|senden|antworte|kommen?) ... (mich|uns|ihnen|es|das|sie|dir|die|den|auf)
    (geben sie (mir|uns)|gib mir|bekommen sie|sie bekommen|erhalten sie|sie erhalten|melden sie sich)
    (brauche|benotige|brauchen|benotigen) ... (noch|bis|tage|wochen|zeit)
    (nicht|erst) ... (vor|ab|am|nachste*|kommende*)
    (recontact*|vous (l')?(envoie|aurez)|d'ici)
    (donnez|laissez)[- ](moi|nous)
    (envio|denme|deme|vuelva|escribame|invio|mando|ricontatt*|mi dia|ci dia)
    (stuur|sturen|kom|komen|geef|neem) ... (terug|mij|ons|contact|u|je|het)
    """
)
# It depends on us or on something else: no promise.
_CONDITION = compile_phrases(
    r"""
    (if|unless|provided|assuming|in case)
    (once|when|after|as soon as|until) (you|we get|we have|i get|i have)
    (wenn|falls|sobald) (sie|wir|ich)
    (si vous|des que vous|si usted|cuando (usted|me)|se (lei|voi)|als u|zodra u)
    """
)
# A question that only asks for time is no question to answer.
_ASKS_FOR_TIME = compile_phrases(
    r"""
    (can|could|may|might) (i|we) (please )?{SEND} ... {LATER}
    (would it be|is it) (ok|okay|fine|possible|alright) ... (i|we) ... {LATER}
    (can|could|would) you ... (remind|try|check back|follow up|ping|contact|write|come back|give|wait) ... {LATER}
    (can|could|would) you ... ((remind|ping|contact) (me|us)|try|check back|follow up|come back)( it| this)? again
    (can|could|shall) we ... (postpone|revisit|wait) ... {LATER}
    (konnen|konnten|durfen) (sie|wir|ich) ... (nachste*|kommende*|bis|in) ... (\w+tag|woche*|tage*|monat*)
    """,
    SEND="(get|come|send|reply|answer|respond|do|have|return|let you|provide|deliver|take)",
    # A bare "by", "in" or "next" is no time: "by post", "in a PDF", "for next year", "a later version".
    LATER=(
        "(back to you|(?<!valid )(until|till)|by {DATE}|(?<!for )next {UNIT}|in ((a|an|the) )?({COUNT} )*{UNIT}"
        "|in (the )?{MONTH}|{DAY}|later(?! (version|edition|revision|release|draft|form|copy|one|model)))"
    ),
    DATE=(
        r"((the )?(early |mid |late )?({DAY}|{MONTH}|next {UNIT}|this {UNIT}|(the )?(end|middle|beginning) of|end of"
        r"|noon|tonight|then|eod|cob|eow|\d{4}-\d{2}-\d{2}|\d{1,2}(st|nd|rd|th|\.? {MONTH}| ?[ap]m|[./:-]\d{1,2}\S*)))"
    ),
    COUNT=r"(next|coming|few|couple|of|one|two|three|four|five|six|some|\d+)",
    UNIT="(minutes?|hours?|days?|weeks?|months?|quarter|few (days|weeks)|couple of (days|weeks)|{DAY}|{MONTH})",
    DAY="((mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow)",
    MONTH=(
        "(january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul"
        "|aug|sept?|oct|nov|dec)"
    ),
)


_BESIDE_A_DATE = list_words(
    "by on until till at the of around in from before after earliest latest sure ok okay and or please"
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody wants time. `until` is None when they named no day or one that can be read two ways."""

    until: datetime | None
    is_absence: bool
    is_unclear: bool
    quote: str
    # They say what they will do about it; without that, a day may as well be their answer.
    is_promise: bool = False


def asks_only_for_time(sentence: str) -> bool:
    """Say whether a folded question merely asks us to wait or to come back."""
    return bool(_ASKS_FOR_TIME.search(sentence))


def find_wait(reply: Reply, zone: ZoneInfo) -> Wait | None:
    """Return what a person's mail says about waiting, None when it says nothing about it."""
    today = reply.message.sent_at.astimezone(zone).date()
    chosen = [index for index, part in enumerate(reply.folded) if _is_about_time(part, today)]
    if not chosen and _is_bare_date(reply.folded, today):
        chosen = list(range(len(reply.folded)))
    if not chosen:
        return None
    parts = [reply.folded[index] for index in chosen]
    is_absence = any(_is_absent(part) for part in parts)
    return _make_wait(parts, reply.sentences[chosen[0]], today, zone, is_absence=is_absence)


def find_absence_note(message: ThreadMessage, zone: ZoneInfo) -> Wait:
    """Return until when an autoresponder's note says that they are away."""
    today = message.sent_at.astimezone(zone).date()
    sentences = [*split_sentences(message.subject), *split_sentences(message.text[:16_000])]
    folded = [" ".join(fold(sentence).split()) for sentence in sentences[:200]]
    telling = [part for part in folded if _ABSENT.search(part) and find_dates(part, today)]
    quote = next((sentences[i] for i, part in enumerate(folded) if _ABSENT.search(part)), message.subject)
    return _make_wait(telling or folded, quote, today, zone, is_absence=True)


def _is_about_time(part: str, today: date) -> bool:
    if _is_absent(part) or asks_only_for_time(part):
        return True
    if "?" in part or _CONDITION.search(part):
        return False
    return bool(_PROMISE.search(part)) or bool(_TIMING.search(part) and find_dates(part, today))


def _is_absent(part: str) -> bool:
    return bool(_ABSENT.search(part)) and not _WAS_ABSENT.search(part)


def _is_bare_date(parts: Sequence[str], today: date) -> bool:
    """Say whether a date is all there is: "Next Tuesday." """
    text = " ".join(parts)
    found = find_dates(text, today)
    if not found or "?" in text:
        return False
    rest = text[: found[0].start] + " " + text[found[-1].end :]
    return all(word in _BESIDE_A_DATE for word in re.findall(r"\w+", rest))


def _make_wait(parts: Sequence[str], quote: str, today: date, zone: ZoneInfo, *, is_absence: bool) -> Wait:
    days: list[FoundDate] = []
    back: list[FoundDate] = []
    for part in parts:
        found = find_dates(part, today)
        days += found
        # "Back on 8 December" says more than every other date in a note.
        back += [day for day in found for word in _RETURN.finditer(part) if 0 <= day.start - word.end() <= 30]
    named = [found.day for found in back or days if found.day is not None]
    is_unclear = not named and any(found.day is None for found in days)
    until = at_morning(max(named), zone) if named else None
    is_promise = any(_PROMISE.search(part) for part in parts)
    return Wait(until=until, is_absence=is_absence, is_unclear=is_unclear, quote=quote, is_promise=is_promise)


def wait_without_date(sent_at: datetime) -> datetime:
    """Return when to look again after somebody asked for time without naming a day: three days after the mail."""
    return (sent_at + WITHOUT_DATE).astimezone(UTC)


_INSTRUCTION = compile_phrases(
    r"""
    ^\W*(ok,? |yes,? |please |just |cancel and |cancel/)*(wait|keep waiting|snooze|hold|pause|try again)
    ^\W*(ok,? |yes,? |please |just )*(recheck|come back|look again)
    ^\W*(ok,? |yes,? |please |just )*(check|ask|write|try|follow up|remind (them|her|him|me)) (back|again|on|in|next)
    ^\W*(ok,? |yes,? |please |just )*give (them|her|him) (time|until|till|a|an|another|two|three|\d)
    (try|check|ask|write|contact|remind (them|her|him))( (them|her|him))? (again|back) (on|in|next|after|tomorrow|later)
    """
)


def read_instruction(answer: str, answered_at: datetime, zone: ZoneInfo) -> Wait | None:
    """Return the wait that a human tells us to keep ("try again on 3 December"), None for any other answer."""
    folded = " ".join(fold(answer).split())
    if len(folded) > 400 or not _INSTRUCTION.search(folded):
        return None
    today = answered_at.astimezone(zone).date()
    if re.search(r"\b(don't|do not|not|never)\b", folded) and not find_dates(folded, today):
        return None
    return _make_wait([folded], answer, today, zone, is_absence=False)
