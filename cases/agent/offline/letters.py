"""The words of outgoing mail: greeting, request, reminders, signature; must not decide when one is due."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cases.agent.guard import remove_invisible
from cases.agent.offline.asking import Ask, first_name
from cases.agent.offline.dates import find_zone
from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.questions import list_entries
from cases.agent.offline.reading import Reading, fold, shorten
from cases.agent.offline.signals import wants_file
from cases.agent.protocol import CaseView, Draft
from cases.agent.wanted import WantedField, split_identifier

# A description written for the program that fills the schema, not for the person who gives the value.
_FOR_MACHINES = compile_phrases(
    r"""
    ^(extract*|return*|set|true|false|infer*|deriv*|use|null|must|should|whether|if|parse*|populate*|iso|agent|model)
    (the agent|the model|the assistant|json|llm|boolean|null|true if|string|counterparty)
    """
)
_DERIVED = frozenset(("received", "attached", "provided", "enclosed", "submitted"))
_DEADLINE_KEYS = frozenset(("deadline", "due", "due date", "needed by", "need by", "due by"))
_REFERENCE_KEYS = frozenset(
    ("reference", "our reference", "ref", "po number", "po", "order number", "invoice number", "contract number")
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How formal a mail sounds."""

    greeting: str
    close: str
    is_formal: bool


def find_manner(view: CaseView) -> Manner:
    """Return the manner that the persona's tone asks for; friendly and formal are known, all else is neutral."""
    tone = fold(view.persona.tone)
    full = " ".join(remove_invisible(view.counterparty_name).split())
    first = first_name(full)
    if re.search(r"friendl|casual|warm|informal|relaxed|cheerful", tone):
        return Manner(f"Hi {first}," if first else "Hi,", "Thanks and best wishes,", is_formal=False)
    if re.search(r"formal|official|conservative|strict", tone):
        return Manner(f"Dear {full}," if first else "Dear Sir or Madam,", "Yours sincerely,", is_formal=True)
    return Manner(f"Hello {first}," if first else "Hello,", "Best regards,", is_formal=False)


def write_mail(view: CaseView, paragraphs: Sequence[str]) -> str:
    """Return the paragraphs between greeting and signature; empty ones are left out."""
    manner = find_manner(view)
    persona = view.persona
    place = ", ".join(part for part in (_flat(persona.role), _flat(persona.company)) if part)
    name = _flat(persona.name)
    signature = "\n".join(part for part in (name, place if place != name else "") if part)
    body = [paragraph for paragraph in paragraphs if paragraph.strip()]
    return "\n\n".join([manner.greeting, *body, f"{manner.close}\n{signature}"])


def write_outreach(view: CaseView, ask: Ask, fields: Sequence[WantedField], *, is_minimal: bool = False) -> Draft:
    """Return the first mail; the minimal one says no more than who writes and what is asked."""
    wanted = [] if is_minimal else [field for field in fields if not is_derived(field)]
    has_file = not is_minimal and wants_file(view.objective)
    paragraphs = [
        f"{_introduce(view)} {_request(ask, view)}",
        "Please attach it to your reply, as a PDF or a clear scan." if has_file else "",
        _ask_for_fields(wanted, ask, has_file=has_file),
        "" if is_minimal else _mention_knowledge(view),
        "If anything is unclear, just reply to this e-mail and I will help.",
        "Thank you very much.",
    ]
    rationale = "First message: the request of the objective, and the fields of the result schema."
    return Draft(subject=ask.subject, body=write_mail(view, paragraphs), rationale=rationale)


def write_follow_up(view: CaseView, ask: Ask, missing: Sequence[WantedField], *, has_some: bool) -> Draft:
    """Return the next reminder; each is a little firmer, and the last says that it is the last."""
    ours = Reading(view).ours
    number = view.follow_ups_sent + 1
    is_last = number >= view.max_attempts
    since = f" of {format_day(ours[0].sent_at, view)}" if ours else ""
    if is_last:
        opening = f"This is my last message about {ask.matter}. {_request(ask, view)}"
        ending = "If I do not hear from you, I will close this on our side and not write to you about it again."
    elif number == 1:
        opening = f"This is a short reminder about {ask.matter}. {ask.again}"
        ending = "If something is holding this up, please tell me, and we will find a way."
    elif number % 2 == 0:
        opening = (
            f"I am writing again about {ask.matter}, as I have had no answer to my message{since} yet. {ask.again}"
        )
        ending = "A short note on when I can expect it would already help."
    else:
        opening = f"I am following up once more on {ask.matter}. {ask.again}"
        ending = "If this is difficult for you, please let me know, so that I can plan for it."
    listed = list_fields([field for field in missing if not is_derived(field)])
    heading = "Thank you for what you have sent so far. Still missing:" if has_some else "These are the details I need:"
    paragraphs = [opening, f"{heading}\n\n{listed}" if listed else "", ending]
    first = ours[0].subject if ours else ask.subject
    rationale = f"Follow-up {number} of {view.max_attempts}; nothing new has come in."
    return Draft(subject=reply_subject(first), body=write_mail(view, paragraphs), rationale=rationale)


def reply_subject(subject: str) -> str:
    """Return the subject of an answer in the thread, as one line of at most 200 characters."""
    plain = re.sub(r"^(?:\s*(?:re|aw|sv|antw)\s*:)+", "", _flat(subject), flags=re.IGNORECASE).strip()
    return shorten(f"Re: {plain}", 200)


def ask_for_missing(missing: Sequence[WantedField], written: dict[str, str], noted: Sequence[WantedField]) -> str:
    """Return the paragraph that thanks for what came and asks for the rest by name; `written` is what did not fit."""
    parts: list[str] = []
    if noted:
        parts.append(f"Thank you. I have noted {join_names([name_inline(field) for field in noted])}.")
    else:
        parts.append("Thank you for your reply.")
    for field in missing:
        if field.name in written:
            quote = shorten(_flat(written[field.name]), 60)
            parts.append(f'For {name_inline(field)} your message says "{quote}", which I cannot use yet.')
    if len(missing) == 1:
        also = "also " if noted else ""
        parts.append(f"Could you please {also}send me {name_inline(missing[0])}{_hint(missing[0])}?")
        return " ".join(parts)
    return " ".join([*parts, "Could you please send me what is still missing?"]) + f"\n\n{list_fields(missing)}"


def ask_for_file_again(ask: Ask, *, is_claimed: bool) -> str:
    """Return the paragraph that asks for a file: one that was announced and did not arrive, or one not sent yet."""
    thing = ask.matter if not ask.matter.startswith("my ") else "the file"
    if is_claimed:
        return (
            "Thank you. Your message mentions an attachment, but no file has arrived here. "
            f"Could you please attach {thing} and send it once more?"
        )
    return f"Thank you. Could you please also attach {thing} to your reply? A PDF or a clear scan is fine."


def list_fields(fields: Sequence[WantedField]) -> str:
    """Return the fields as lines to fill in: "- Legal name:"."""
    return "\n".join(f"- {_flat(field.label)}{_hint(field)}:" for field in fields)


def name_inline(field: WantedField) -> str:
    """Return the field's name inside a sentence: "the legal name", "the EIN"."""
    label = _flat(field.label)
    first = label.split(" ")[0]
    keeps_case = first.isupper() or first[1:] != first[1:].lower()
    lowered = label if keeps_case else label[:1].lower() + label[1:]
    return lowered if re.match(r"(?:the|your|our|a|an)\s", lowered) else f"the {lowered}"


def join_names(names: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def is_derived(field: WantedField) -> bool:
    """Say whether a field is ours to observe, like "w9Received", and nothing to ask a person for."""
    return field.type == "boolean" and bool(_DERIVED & {word.lower() for word in split_identifier(field.name)})


def format_day(moment: datetime, view: CaseView) -> str:
    """Return a day as "24 November", in the counterparty's zone."""
    local = moment.astimezone(find_zone(view.timezone))
    return f"{local.day} {local:%B}"


def _introduce(view: CaseView) -> str:
    persona = view.persona
    name, role, company = _flat(persona.name), _flat(persona.role), _flat(persona.company)
    if role:
        return f"I am {name}, {role}{f' at {company}' if company else ''}."
    return f"I am {name} from {company}." if company and company != name else f"My name is {name}."


def _request(ask: Ask, view: CaseView) -> str:
    if find_manner(view).is_formal and ask.request.startswith("Could you please "):
        return re.sub(r"^Could you please (.*)\?$", r"I would be grateful if you could \1.", ask.request)
    return ask.request


def _ask_for_fields(fields: Sequence[WantedField], ask: Ask, *, has_file: bool) -> str:
    if not fields:
        return ""
    if has_file:
        heading = "So that I can enter everything correctly, please also fill in these lines in your reply:"
        return f"{heading}\n\n{list_fields(fields)}"
    label = _flat(fields[0].label)
    if len(fields) == 1 and set(re.findall(r"\w+", fold(label))) <= set(re.findall(r"\w+", fold(ask.request))):
        return f'A short reply such as "{label}: ..." is all I need.'
    return f"A reply with one line for each of these would be perfect:\n\n{list_fields(fields)}"


def _mention_knowledge(view: CaseView) -> str:
    sentences: list[str] = []
    for key, value in list_entries(view):
        name, text = fold(key), _flat(value)
        if len(text) > 60 or "?" in text:
            continue
        if name in _DEADLINE_KEYS and not any("need this by" in other for other in sentences):
            sentences.append(f"We need this by {format_value(text)}.")
        elif name in _REFERENCE_KEYS and len(sentences) < 3:
            label = "reference" if name in ("reference", "our reference", "ref") else f"{key[:1].lower()}{key[1:]}"
            label = key if key[:2].isupper() else label
            sentences.append(f"Our {label} is {text}.")
    return " ".join(sentences)


def format_value(text: str) -> str:
    """Return a value for a sentence: an ISO date as "15 December 2026", all else without a final full stop."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return text.rstrip(".")
    return f"{day.day} {day:%B %Y}"


def _hint(field: WantedField) -> str:
    """Return what helps to fill the field in, in parentheses: its choices, its form, a short description."""
    if field.choices and len(field.choices) <= 8:
        names = [_flat(str(choice)).replace("_", " ") for choice in field.choices]
        hint = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    elif field.description and len(field.description) <= 110 and not _FOR_MACHINES.search(fold(field.description)):
        hint = field.description.rstrip(".")
        hint = hint if hint[1:2].isupper() else hint[:1].lower() + hint[1:]
    elif field.members:
        hint = ", ".join(_flat(member) for member in field.members[:8])
    else:
        hint = _hint_by_type(field)
    hint = re.sub(r"[()]", "", _flat(hint))
    hint = f"{hint}, optional" if hint and not field.required else hint or ("" if field.required else "optional")
    return f" ({hint})" if hint else ""


def _hint_by_type(field: WantedField) -> str:
    by_type = {"boolean": "yes or no", "array": "separated by commas"}
    return by_type.get(field.type, "with day, month and year" if field.format == "date" else "")


def _flat(text: str) -> str:
    """Return outside text as one line without invisible characters."""
    return " ".join(remove_invisible(text).split())
