"""PURE: tells people from autoresponders; must not flag a person, because an automatic mail never counts as an answer.

Headers decide first (RFC 3834). AgentMail may hand over only the non-standard ones, so a few subjects that machines
write, always at the very start, decide without them. `Re:` in front means that a person answered.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum

# A machine says what it is in its first lines; what follows is often our own mail, quoted.
_READ_CHARS = 2000


class AutomaticKind(StrEnum):
    """What wrote a mail. NONE is a person, as far as the mail lets us tell."""

    NONE = "none"
    AUTOREPLY = "autoreply"
    OUT_OF_OFFICE = "out_of_office"
    ACKNOWLEDGEMENT = "acknowledgement"
    DELIVERY_REPORT = "delivery_report"
    OWN_ADDRESS = "own_address"


# All patterns meet text without accents and in lower case (see _fold): en, de, fr, es, it, nl, pt, sv, pl.
_ABSENCE = (
    r"out of (?:the |my )?office|ooo|abwesenheit(?:snotiz|smeldung)?|abwesend|nicht im buro"
    r"|(?:message d')?absence(?: du bureau)?|absente? du bureau"
    r"|fuera de (?:la )?oficina|ausencia|fuori (?:ufficio|sede)|assente(?: dall'ufficio)?|assenza"
    r"|afwezig(?:heid|heidsbericht)?|niet op kantoor|fora do escritorio|ausencia do escritorio"
    r"|franvaro(?:meddelande)?|franvarande|ej pa kontoret|poza biurem|nieobecnosc"
)
_AUTOMATIC = (
    r"automatic reply|auto(?:mated)?[- ]?(?:reply|response)|automatische antwort(?:nachricht)?|autoantwort"
    r"|reponse automatique|respuesta automatica|risposta automatica|automatisch antwoord"
    r"|resposta automatica|automatiskt svar|autosvar|automatyczna odpowiedz|odpowiedz automatyczna"
)
# "Automatic payments" and "Out of office next week, can we move the call?" go on without a colon: a person.
_MACHINE_SUBJECT = re.compile(rf"\s*(?:{_AUTOMATIC}|{_ABSENCE})\s*(?::|re:|autoreply\b|$)")
_ABSENT_SUBJECT = re.compile(rf"\s*(?:(?:{_AUTOMATIC})\s*:\s*)?(?:{_ABSENCE})\b")

# Only asked once a mail is known to be automatic, so it may be generous.
_ABSENT_BODY = re.compile(
    r"out of (?:the |my )?office|away from (?:the |my )?(?:office|desk)|on (?:annual |parental |maternity |paternity "
    r"|sick |medical )?(?:leave|vacation|holidays?)|(?:back|return(?:ing)?) (?:to|in) the office|away until"
    r"|(?:be back|return|returning) on|limited access to (?:my )?e-?mail"
    r"|nicht im (?:buro|haus)|im urlaub|abwesend|wieder (?:erreichbar|im buro|fur sie da)|in elternzeit"
    r"|absente? (?:du bureau|jusqu|actuellement)|en conges?|de retour le|fuera de (?:la )?oficina|de vacaciones"
    r"|fuori (?:ufficio|sede)|in ferie|assente (?:fino|dal)|afwezig|op vakantie|niet op kantoor"
    r"|fora do escritorio|de ferias|pa semester|franvarande|tillbaka den|ej pa kontoret"
    r"|poza biurem|na urlopie|nieobecn[ay]"
)

_TICKET = re.compile(
    r"[\[(#]\s*(?:ticket|case|request|incident|vorgang|anfrage|demande|solicitud)\b[^\])\n]{0,40}[\])]"
    r"|\b(?:ticket|case|request|reference|incident|vorgangs?)[ -]?(?:no\.?|nr\.?|id|number|nummer)?\s*[:#]\s*[\w-]*\d"
    r"|\[#[\w-]*\d[\w-]*\]|##[\w-]+##"
)
_RECEIVED = re.compile(
    r"we(?: have|'ve)? (?:successfully )?received your (?:request|message|e-?mail|inquiry|enquiry|ticket|case)"
    r"|your (?:request|message|e-?mail|inquiry|enquiry|ticket|case)[^.\n]{0,40} (?:has been|was) "
    r"(?:received|created|opened|logged|registered)"
    r"|(?:wir haben ihre|ihre) (?:anfrage|nachricht|e-?mail)[^.\n]{0,40} (?:erhalten|eingegangen)"
    r"|nous avons bien recu votre (?:demande|message|e-?mail)"
    r"|hemos recibido su (?:solicitud|mensaje|correo)"
)
# A person in a help desk may write "we have received your request" too, but then goes on to answer it.
_PROMISE = re.compile(
    r"will (?:reply|respond|get back|be in touch|contact|review|follow up|look into)|get back to you"
    r"|melden uns|schnellstmoglich|dans les plus brefs delais|a la brevedad"
)
_PROMISE_CHARS = 160
_DECLARED = re.compile(
    r"do not reply|reply above this line|automat(?:ed|ic|ically|isch) (?:generated|message|e-?mail|response|reply"
    r"|confirmation|erstellt|generiert)"
)
_SIGN_OFF = re.compile(
    r"(?:\s*[(#][^)\s]{0,40}\)?)?[.!,\s]*(?:thank(?:s| you)(?: for [^.!\n]{0,60})?[.!,\s]*)?"
    r"(?:$|(?:kind |best |warm )?regards|sincerely|--|(?:the|your) [^.\n]{0,40}team)"
)

_BOUNCE_SUBJECT = re.compile(
    r"undeliver(?:ed|able)|delivery status notification|(?:mail )?delivery (?:failed|failure|has failed)"
    r"|returned mail|mail system error|failure notice|unzustellbar|non remis|no entregado|non recapitato"
)

_AUTOREPLY_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-auto-response")
_MACHINE_PRECEDENCE = ("bulk", "junk", "auto_reply", "auto-reply")


def classify_automatic(
    *, from_address: str, subject: str, text: str, headers: Mapping[str, str], own_addresses: Collection[str]
) -> AutomaticKind:
    """Returns what wrote the mail; `headers` have lower-case names.

    Not signs of a machine: List-Id, List-Unsubscribe and `Precedence: list` (a person who answers through a group
    carries them), X-Auto-Response-Suppress (a request to autoresponders, not one of them), a ticket number in the
    subject (people in a help desk keep it).
    """
    sender = from_address.strip().lower()
    if sender in {address.strip().lower() for address in own_addresses}:
        return AutomaticKind.OWN_ADDRESS
    title, body = _fold(subject[:_READ_CHARS]), _fold(text[:_READ_CHARS])
    if _is_delivery_report(sender, title, headers):
        return AutomaticKind.DELIVERY_REPORT
    if _has_machine_headers(headers) or _MACHINE_SUBJECT.match(title):
        return _kind_of_automatic(title, body)
    if _is_acknowledgement(title, body):
        return AutomaticKind.ACKNOWLEDGEMENT
    return AutomaticKind.NONE


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _has_machine_headers(headers: Mapping[str, str]) -> bool:
    # RFC 3834, section 5: the keyword may be followed by parameters; "no" is what a person's client may set.
    submitted = re.match(r"[a-z-]*", headers.get("auto-submitted", "").strip().lower())
    if submitted and submitted.group() not in ("", "no"):
        return True
    if headers.get("precedence", "").strip().lower() in _MACHINE_PRECEDENCE:
        return True
    if headers.get("return-path", "").strip() == "<>":
        return True
    return any(
        headers.get(name, "no").strip().lower() not in ("", "no", "none", "false") for name in _AUTOREPLY_HEADERS
    )


def _is_delivery_report(sender: str, title: str, headers: Mapping[str, str]) -> bool:
    if sender.partition("@")[0] in ("mailer-daemon", "mail-daemon") or "x-failed-recipients" in headers:
        return True
    if headers.get("content-type", "").strip().lower().startswith("multipart/report"):
        return True
    is_postal = sender.startswith("postmaster@") or headers.get("return-path", "").strip() == "<>"
    return is_postal and _BOUNCE_SUBJECT.search(title) is not None


def _kind_of_automatic(title: str, body: str) -> AutomaticKind:
    if _ABSENT_SUBJECT.match(title) or _ABSENT_BODY.search(body):
        return AutomaticKind.OUT_OF_OFFICE
    if _TICKET.search(title) or _RECEIVED.search(f"{title}\n{body}"):
        return AutomaticKind.ACKNOWLEDGEMENT
    return AutomaticKind.AUTOREPLY


def _is_acknowledgement(title: str, body: str) -> bool:
    """Without headers: a ticket number, the receipt, and then a promise, a machine's own word or only a greeting."""
    if not _TICKET.search(f"{title}\n{body}"):
        return False
    receipt = _RECEIVED.search(body)
    if receipt is None:
        return _RECEIVED.search(title) is not None and bool(_PROMISE.search(body) or _DECLARED.search(body))
    end = receipt.end()
    return bool(
        _PROMISE.search(body, end, end + _PROMISE_CHARS) or _DECLARED.search(body) or _SIGN_OFF.match(body, end)
    )
