"""What stands beside the values or the file that a mail brings, and may change what they mean; decides nothing."""

import re
from typing import Any

from cases.agent.comparing import fold_letters
from cases.agent.offline.assessing import Facts
from cases.agent.offline.plainness import find_unread, list_known_words
from cases.agent.offline.reading import Reply, fold
from cases.agent.offline.signals import list_claims

# A question with one of these may be about the values beside it.
_ABOUT_VALUES = re.compile(
    r"\d{3}|\b(or|other|old|new|last|wrong|instead|still|which|this|that|these|those|oder|ou|o|of)\b(?! (it )?all\b)"
)


def names_file(facts: Facts) -> bool:
    """Say whether a file's name, or the sentence that announces it, names what the case is to collect."""
    wanted = facts.file_words
    named = [fold_letters(file.name) for reply in facts.reading.replies for file in reply.documents]
    named += [fold_letters(part) for reply in facts.reading.replies for part in list_claims(reply)]
    return not wanted or any(word in name for name in named for word in wanted)


def list_questioned(reply: Reply, facts: Facts) -> list[str]:
    """Return the questions of a mail that may be about its own values: they name a field or hold a figure."""
    labels = {" ".join(fold(name).split()) for field in facts.fields for name in (field.name, field.label)}
    return [
        sentence
        for sentence, folded in zip(reply.sentences, reply.folded, strict=True)
        if sentence.rstrip("\"') ").endswith("?")
        and (any(label in folded for label in labels) or _ABOUT_VALUES.search(folded))
    ]


def find_unread_words(reply: Reply, facts: Facts) -> str:
    """Return a sentence of the mail that says something beside the values read from it, or ""."""
    found = [one for one in facts.gathered.values.values() if one.message_id == reply.message.message_id]
    figures = [" ".join(re.findall(r"\d+", one.quote)) for one in found]
    values = [str(one.value) for one in facts.gathered.values.values()]
    known = facts.known_words | list_known_words([*figures, *values])
    # A JSON object, "Attending: no", and what an optional field cannot take.
    read = [one.quote for one in found if one.quote.startswith("{") or _is_short_answer(one.value, one.quote)]
    return find_unread(reply, known, [*read, *facts.gathered.unclear.values()])


def _is_short_answer(value: Any, quote: str) -> bool:
    return isinstance(value, bool) and len(quote.split()) <= 5
