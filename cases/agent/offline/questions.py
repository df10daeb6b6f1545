"""What they ask, and what the knowledge plainly answers; a doubtful match is no answer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cases.agent.offline.dates import find_dates
from cases.agent.offline.phrases import compile_phrases, list_words
from cases.agent.offline.reading import Reply, fold, quote, split_sentences
from cases.agent.offline.waiting import asks_only_for_time
from cases.agent.protocol import CaseView
from cases.agent.wanted import humanize, split_identifier

MAX_ENTRIES = 500

_COURTESY = compile_phrases(
    r"""
    ^(how are you|how are things|how have you been|how is it going|hope you .*)
    ^(ok|okay|right|alright|deal|agreed|correct)\?
    ^is (that|this|it) (all|ok|okay|enough|fine|alright|everything|what you)
    ^does (that|this|it) (work|help|suit|make sense|answer)
    ^(do|will|would) you need anything (else|more|further)
    ^(is there )?anything else
    ^can you (please )?(confirm receipt|confirm that you|let me know if (this|that|it) (is|works))
    ^(did|have) you (get|receive|received|got) (it|this|that|my)
    ^(any questions|sound good|all good|good)\?
    """
)
_ASKS = compile_phrases(
    r"""
    ^{AND}(what|which|who|whom|whose|when|where|why|how) (is|are|was|were|do|does|did|can|could|will|would|should)
    ^{AND}how (much|many|long|soon|often|exactly)
    (please|could you|can you|would you) {TELL}( me| us)?( know)? (what|which|who|when|where|why|how|whether)
    (i|we)('d| would) (like|need|want) to know
    (i|we) (need|want) to know
    # Requests: something they need from us, and not merely time.
    (i|we)( still| first| will| would|'ll|'d)* (need|require) (the|your|an?) {THING}
    ^{AND}please (send|provide|share|give|tell|clarify|specify)( (me|us))? (the|your|an?|which|what)
    ^{AND}(send|give|tell) (me|us) (the|your|an?|which|what)
    """,
    AND="(and |but |so |also,? )?",
    TELL="(tell|let|advise|explain|clarify|specify)",
    THING=r"(?!few|couple|bit|little|moment|minute|day|week)\w+",
)
_CONDITION = compile_phrases(
    r"""
    (if|once|unless|provided|as soon as|after) (that )?(you|we get|we receive|i get|i receive)
    (only|but) (if|in|on|after|before|when|with|for|at)
    (subject to|in exchange|instead|on (the )?condition)
    """
)
_TURNED = r"(?:can|could|may|might|shall|should|do|does|did|is|are|will|would|have|has) (?:i|we|you|it|they|this|that)"
_OPENING = rf"(?:who|whom|whose|what|when|where|why|how|which|{_TURNED})\b"
# "When do you need it, and who signs?" wants two answers.
_SECOND_QUESTION = re.compile(rf",?\s+and\s+(?={_OPENING})", re.IGNORECASE)
_HAS_OPENING = re.compile(rf"\b{_OPENING}")
_STOP_WORDS = list_words(
    """
    a an and any are as at be been but by can could did do does for from get give had has have he her him his how i if
    in is it its just let may me more my need no not of on or our please s she should so some tell than that the their
    them then there these they this those to up us was we were what when where which who whom whose why will with would
    yes you your know exactly also about think still ever really kindly thank thanks hello hi dear regarding want like
    """
)
# As the only word of a key these say too little to match a question by.
_VAGUE_KEYS = list_words(
    """
    name note notes info information detail details date type status context background number id description title
    text message comment comments summary other misc data value request question
    """
)
_ASKS_WHY = compile_phrases(
    r"""
    ^(and |but )?why
    what (is|do you need) (this|that|it) for
    for what purpose
    """
)
_REASON_WORDS = frozenset(("why", "reason", "purpose"))
_DEADLINE_WORDS = frozenset(("deadline", "due", "date", "by"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What we know for one question: `topic` is what it is about ("" for a whole sentence)."""

    topic: str
    text: str


def find_questions(reply: Reply) -> list[str]:
    """Return the sentences of a mail that want an answer, whole and in their own words, without courtesies."""
    return [sentence for sentence in reply.sentences if _list_asking_parts(sentence)]


def _list_asking_parts(sentence: str) -> list[str]:
    """Return the parts of a sentence that each want an answer: two of "When do you need it, and who signs?"."""
    pairs = [(part, " ".join(fold(part).split())) for part in _SECOND_QUESTION.split(sentence)]
    if "?" not in sentence and not any(_ASKS.search(folded) for _, folded in pairs):
        return []
    return [
        part
        for part, folded in pairs
        if ("?" in part or _ASKS.search(folded) or ("?" in sentence and _HAS_OPENING.search(folded)))
        and not _COURTESY.search(folded)
        and not asks_only_for_time(folded)
    ]


def sets_condition(reply: Reply) -> bool:
    """Say whether the mail makes something of ours the condition, so that it waits for a word from us."""
    return any(_CONDITION.search(folded) for folded in reply.folded)


def answer_question(question: str, view: CaseView) -> list[Answer] | None:
    """Return what the public knowledge or a human's answers plainly say to each part of it; None if one is open."""
    answers = [_answer_part(part, view) for part in _list_asking_parts(question) or [question]]
    found = [answer for answer in answers if answer is not None]
    return found if len(found) == len(answers) else None


def _answer_part(question: str, view: CaseView) -> Answer | None:
    folded = fold(question)
    words = _content(folded)
    persona = view.persona
    if re.search(r"\bwho (are|is) (you|this|that)\b|\b(which|what) company\b|\bwho do you work for\b", folded):
        role = f", {persona.role}" if persona.role else ""
        company = f" at {persona.company}" if persona.company else ""
        return Answer("", f"I am {persona.name}{role}{company}.") if role or company else None
    is_why = bool(
        re.search(r"^(and |but )?why\b|\bwhat (is|do you need) (this|that|it) for\b|\bfor what purpose\b", folded)
    )
    for key, value in list_entries(view):
        if _is_key_named(key, words, folded):
            return Answer(key, value)
        # "Why do you need a W-9?", and not why anything else is as it is.
        if is_why and _REASON_WORDS & set(fold(key).split()) and words <= _content(fold(view.objective)):
            return Answer("", value)
    best = max(_list_sentences(view), key=lambda sentence: _score(sentence, words, folded, view), default=None)
    if best is not None and _score(best, words, folded, view) >= 2:
        return Answer("", best)
    return None


def _content(folded: str) -> frozenset[str]:
    words = (word for word in re.findall(r"[a-z0-9]+(?:-\d+)?", folded.replace("'", " ")) if word not in _STOP_WORDS)
    return frozenset(_stem(word) for word in words)


def _stem(word: str) -> str:
    for ending in ("ments", "ment", "ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def list_entries(view: CaseView) -> Iterator[tuple[str, str]]:
    """Yield (key for people, value) of the knowledge, newest human answers first."""
    for answer in reversed(view.human_answers):
        yield from _list_lines(answer.answer)
    if isinstance(view.knowledge, Mapping):
        yield from _flatten(view.knowledge)
    elif isinstance(view.knowledge, str):
        yield from _list_lines(view.knowledge)


def _list_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n")[:MAX_ENTRIES]:
        match = re.fullmatch(r"\W*([^\W\d][\w /()-]{1,40}?)\s*[:=]\s+(\S.*)", line.strip())
        if match is not None:
            yield match[1].strip(), match[2].strip()


def _flatten(knowledge: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Any]] = [(name, value) for name, value in knowledge.items() if name != "private"]
    for _ in range(MAX_ENTRIES):
        if not waiting:
            return
        name, value = waiting.pop(0)
        if isinstance(value, Mapping):
            waiting += [(str(inner), member) for inner, member in value.items()]
        elif isinstance(value, bool):
            yield humanize(name), "yes" if value else "no"
        elif isinstance(value, str | int | float):
            yield humanize(name), str(value)
        elif isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
            yield humanize(name), ", ".join(str(item) for item in value)


def _is_key_named(key: str, words: frozenset[str], folded: str) -> bool:
    """Say whether the question names every word of the key; "when do you need it" names a deadline."""
    named = [_stem(fold(word)) for word in split_identifier(key) if fold(word) not in _STOP_WORDS]
    if not named or (len(named) == 1 and named[0] in {_stem(word) for word in _VAGUE_KEYS}):
        return False
    is_deadline = {"deadline", "due"} & set(named) and set(named) <= _DEADLINE_WORDS
    if is_deadline and re.search(r"\b(when|how soon|what date|by what)\b", folded):
        return bool(re.search(r"\b(by when|need|due|deadline|latest|expect|required?|how soon)\b", folded))
    # A long question that merely mentions the word is about something else.
    return all(word in words for word in named) and len(words) <= len(named) + 3


def _list_sentences(view: CaseView) -> list[str]:
    texts = [answer.answer for answer in reversed(view.human_answers)]
    if isinstance(view.knowledge, str):
        texts.append(view.knowledge)
    elif isinstance(view.knowledge, Mapping):
        texts += [value for _, value in _flatten(view.knowledge)]
    return [sentence for text in texts for sentence in split_sentences(text) if len(sentence.split()) >= 4][
        :MAX_ENTRIES
    ]


def _score(sentence: str, words: frozenset[str], folded: str, view: CaseView) -> float:
    """Return how many content words the sentence shares with the question; 0 where its kind of answer is missing."""
    plain = fold(sentence)
    shared = words & _content(plain)
    if len(shared) < 2 or len(shared) / len(words) < 0.6 or len(sentence) > 600:
        return 0
    if re.search(r"\b(when|what date|how soon|what time)\b", folded) and not find_dates(plain, view.now.date()):
        return 0
    if re.search(r"\bhow (much|many|long|often)\b", folded) and not re.search(r"\d", plain):
        return 0
    if re.search(r"\bwho\b", folded) and not re.search(r"\w\s+[A-Z]\w", sentence):
        return 0
    if re.search(r"\bwhy\b", folded) and not re.search(r"\b(because|since|so that|in order|for|due|reason)\b", plain):
        return 0
    return len(shared)


def quote_questions(questions: list[str]) -> str:
    """Return the questions as one quotation for a human."""
    return quote(" ".join(questions), 600)
