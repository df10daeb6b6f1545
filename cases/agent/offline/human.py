"""What a human's answer to our question means for the case; relays only what was meant for the counterparty."""

import re

from cases.agent.decisions import FailedRejected, GoalAchieved
from cases.agent.guard import remove_invisible
from cases.agent.offline.asking import first_name
from cases.agent.offline.assessing import Facts
from cases.agent.offline.fields import cite
from cases.agent.offline.hints import has_asked, hint, relays_answer
from cases.agent.offline.judging import ask_for_file, judge
from cases.agent.offline.letters import join_names, name_inline
from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.reading import fold, quote, shorten, split_sentences
from cases.agent.offline.signals import waives_file
from cases.agent.offline.verdicts import Verdict, accept, answer_them, ask_human, judge_wait, nudge
from cases.agent.offline.waiting import read_instruction
from cases.agent.protocol import HumanAnswer

_NEGATION = compile_phrases(r"(do not|don't|not|never|no need to|without|instead of|nicht)")
_GIVE_UP = compile_phrases(
    r"""
    ^\W*(please )?(close|give up|abandon|drop|end|cancel|stop)( (the|this|it|case|on|here|now|please|that|them))*$
    ^\W*(yes,? |ok,? )?(please )?(close|abandon|drop|cancel|end|stop) (the|this) case
    give up on (it|this|them|her|him|the case)
    ^\W*(yes,? |ok,? )?give up
    (they|she|he|the (counterparty|supplier|vendor))( have| has)? (refuse[sd]?|declined?|rejected?)
    mark (it|this|the case|as|them)?( as)? ?(failed|rejected|refused)
    treat (it|this|that) as (a )?(refusal|rejection|no)
    """
)
_ACCEPT = compile_phrases(
    r"""
    ^\W*(yes|ok|okay|fine|accept|accepted|agreed|correct)( please)?$
    ^\W*(yes,? |ok,? )?(please )?(accept|take) (it|this|that|them|her|his|their|the (answer|values?|result))
    ^\W*(yes,? |ok,? )?(please )?(mark|consider|treat|close) (it|this|that|the case)( as)? {DONE}
    ^\W*(yes,? |ok,? )?(please )?complete (it|this|the case)
    (goal|objective)( is| was| has been)? (achieved|reached|met)
    (this|that|it) (is|counts as) (enough|final|accepted|{DONE})
    """,
    DONE="(complete|completed|done|confirmed|achieved)",
)
# The answer to whether a mail is really theirs: then it counts like any other.
_GENUINE = compile_phrases(
    r"""
    (it|this|that|they|the (mail|message|e-?mail|reply|sender))( is|'s| are) (genuine|real|authentic|legit*|trustworthy)
    (it|this|that)( is|'s) really (them|her|him|they)
    """
)
_TELL = re.compile(
    r"^\W*(?:please )?"
    r"(?:(?:tell|inform) (?P<whom>(?:the )?\w+)|let (?P<whom2>(?:the )?\w+) know|reply|answer|respond|write|say)"
    r"(?: that|:|,| with)*\s+(?P<text>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_GO_ON = compile_phrases(
    r"""
    ^\W*(yes,? |ok,? )?(please )?(continue|carry on|go on|go ahead|keep (asking|going|trying)|proceed|remind|nudge)
    ^\W*(yes,? |ok,? )?(please )?(ask|follow up|write|send)( \w+)? (again|once more|a reminder|for)
    ^\W*(yes,? |ok,? )?(please )?send (\w+ ){0,3}reminder
    ^\W*(yes,? |ok,? )?(please )?(insist|chase|follow up)
    """
)
_ORDER = compile_phrases(
    r"""
    ^\W*((do not|don't|please|just|never|ok|yes|no)[ ,]*)*{VERB}
    ^\W*(she|he|they)
    (tell|ask|remind|give|inform|pay|trust) (her|him|them)
    (the|this) case
    """,
    VERB=(
        r"(close|give up|abandon|drop|tell|ask|remind|escalate|follow up|wait|complete|mark|ignore|skip|stop|cancel"
        r"|insist|offer|accept|reject|decline)"
    ),
)
_NO_IDEA = compile_phrases(
    r"""
    ^\W*(i )?(do not|don't) know
    ^\W*(no idea|not sure|unclear|i'm not sure|i am not sure|who knows)
    ^\W*(ask|check with|let me (check|ask)) (legal|my|the|our|someone|somebody|finance)
    """
)


def judge_answer(facts: Facts) -> Verdict:
    """Return what the newest human answer means. A message that came after the answer is judged first."""
    answers, newest = facts.view.human_answers, facts.reading.newest
    if not answers or (newest is not None and newest.sent_at > answers[-1].answered_at):
        return judge(facts)
    answer = answers[-1]
    folded = " ".join(fold(answer.answer).split())
    wait = read_instruction(answer.answer, answer.answered_at, facts.zone)
    if wait is not None:
        return judge_wait(facts, wait, answer.answered_at, by_human=True)
    if _finds(_GIVE_UP, folded, facts):
        return _give_up(answer, len(answers))
    is_accepted = _finds(_ACCEPT, folded, facts) or waives_file(answer.question, answer.answer)
    if facts.is_complete and is_accepted:
        return accept(facts, "A human accepted the values as they are.")
    if facts.is_complete and _gave_values(facts):
        if facts.lacks_file:
            return ask_for_file(facts)
        return accept(facts, "A human supplied the values.")
    if is_accepted and not facts.fields and len(folded.split()) > 1:
        return _complete_by_word(facts, answer, len(answers))
    if newest is not None and newest.sender == "counterparty" and _finds(_GENUINE, folded, facts):
        return judge(facts)
    return _judge_instruction(facts, answer, folded)


def _finds(table: re.Pattern[str], folded: str, facts: Facts) -> bool:
    """Say whether a sentence of the answer holds a phrase of the table, and no negation."""
    name = fold(first_name(facts.view.counterparty_name))
    text = re.sub(rf"\b{re.escape(name)}\b", "they", folded) if name else folded
    return any(table.search(part) and not _NEGATION.search(part) for part in split_sentences(text))


def _gave_values(facts: Facts) -> bool:
    newest = f"human:{len(facts.view.human_answers)}"
    return any(found.message_id == newest for found in facts.gathered.values.values())


def _give_up(answer: HumanAnswer, number: int) -> FailedRejected:
    return FailedRejected(
        kind="FAILED_REJECTED",
        reason=f"A human ended the case: {quote(answer.answer, 500)}",
        evidence=(cite("", f"human:{number}", answer.answer),),
        rationale="The human answer ends the case.",
        confidence=0.9,
    )


def _complete_by_word(facts: Facts, answer: HumanAnswer, number: int) -> Verdict:
    text = shorten(" ".join(remove_invisible(answer.answer).split()), 500)
    replies = facts.reading.replies
    result = {"summary": replies[-1].excerpt if replies else text, "confirmed": True}
    told = f"human:{number}"
    summed_up = (replies[-1].message.message_id, replies[-1].excerpt) if replies else (told, text)
    if facts.schema is not None and facts.schema.check(result):
        return _explain(facts, "The schema wants a result, which your answer has to hold.")
    return GoalAchieved(
        kind="GOAL_ACHIEVED",
        result=result,
        evidence=(cite("summary", *summed_up), cite("confirmed", told, text)),
        rationale="A human declared the goal achieved.",
        confidence=0.9,
    )


def _judge_instruction(facts: Facts, answer: HumanAnswer, folded: str) -> Verdict:
    if _NO_IDEA.search(folded):
        return _explain(facts, "Your answer leaves the question open.")
    told = _TELL.match(answer.answer.strip())
    if told is not None and _is_them(told["whom"] or told["whom2"], facts):
        return answer_them(facts, _sentence(told["text"]), "Relays what the human wants them to know.")
    if _GO_ON.search(folded) and not _NEGATION.search(folded):
        return nudge(facts)
    if _gave_values(facts):
        names = join_names([name_inline(field) for field in facts.noted]) if facts.noted else "what you wrote"
        return _explain(facts, f"I have noted {names}, and the case needs more to go on.")
    if relays_answer(facts) and not _is_for_us(folded, facts):
        lead = "Here is the answer to your question: " if has_asked(facts) else ""
        text = f"Thank you for your patience. {lead}{_sentence(answer.answer)}"
        return answer_them(facts, text, "Relays the human's answer to what they asked.")
    return _explain(facts, "I could not turn your answer into a next step.")


def _is_them(whom: str | None, facts: Facts) -> bool:
    """Say whether "tell X" means the counterparty; nobody else gets mail from this case."""
    name = fold(first_name(facts.view.counterparty_name))
    return whom is None or fold(whom).split()[-1] in {"them", "her", "him", "supplier", "vendor", "counterparty", name}


def _is_for_us(folded: str, facts: Facts) -> bool:
    """Say whether the answer talks to us or about the counterparty, so that it must not reach them as it is."""
    name = fold(first_name(facts.view.counterparty_name))
    return any(_ORDER.search(part) or (name and part.startswith(f"{name} ")) for part in split_sentences(folded))


def _sentence(text: str) -> str:
    flat = shorten(" ".join(text.split()), 4_000)
    flat = flat[:1].upper() + flat[1:]
    return flat if flat.endswith((".", "!", "?", "\u2026")) else f"{flat}."


def _explain(facts: Facts, why: str) -> Verdict:
    return ask_human(f"{why} How should I go on?", hint(facts), "The rules understand a few kinds of answers only.")
