"""Small signs in a reply: files, reservations, thanks, other people, text meant for a machine; decides nothing."""

import re
from collections.abc import Sequence

from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.reading import Reply, fold, split_sentences

_RESERVATION = compile_phrases(
    r"""
    (ignore|disregard|forget) (my|the|what|these|those|that|this|it|everything)
    (not|n't)( yet)? (final|sure|certain|confirmed|signed|approved|binding|valid|correct)
    (subject to|provided (that|you|we|the)|on (the )?condition|(only|but) if|unless|as long as|in case)
    (is|are) (this|that|it|these|those)( all)? (right|correct|accurate|up to date)
    (hold off|placeholder|tentativ*|provisional*|preliminar*|to be confirmed|tbc|pending approval)
    (do not|don't|cannot|can't) (use|rely|share|confirm)
    draft (only|values?|numbers?)
    (is|are|was|were|just|only) (wrong|incorrect|outdated|a guess|an? example|examples)
    (for example|e\.g\.)
    (i|we) (think|guess|believe|assume)
    (might|may|could|will)( still)? change
    (double[- ]check*|waiting for|still (need|have to|wait|waiting|pending|check|checking))
    (unter vorbehalt|vorbehaltlich|noch nicht|sous reserve|pas encore|a condicion|todavia no|salvo conferma)
    (non ancora|onder voorbehoud|nog niet)
    """
)
_MACHINE = re.compile(
    r"\b(ignore|disregard|forget|override|bypass) ((all|any|the|your|my|these|of|previous|prior|above|earlier)\b ?)+"
    r"(instruction|prompt|rule|direction|guideline|context)"
    r"|\b(you are|you're|act as|pretend to be) (now )?(an? |the )?(ai|assistant|language model|llm|chatgpt|bot)\b"
    r"|\b(mark|set|flag|classify|record|close) (this|the|your) (case|task|ticket|goal|status|objective)\b"
    r"|\b(system prompt|developer mode|jailbreak|prompt injection|hidden instruction)"
    r"|<\|[a-z_]+\|>|\[/?inst\]|</?(system|instructions?|assistant)>|### ?(instruction|system)"
    r"|goal_achieved|failed_rejected|requires_reply|input_needed"
    r"|\b(dear|hey|hello|hi|attention|note to( the)?|message to( the)?|instructions? (for|to)( the)?)"
    r" (ai|assistant|bot|robot|llm|chatgpt|language model)\b"
    r"|\b(reveal|print|show|repeat|output) (me )?(your|the) (system|prompt|instruction|hidden|private|secret|internal)"
    r"|\bignorier\w* (\w+ ){0,3}anweisung|\bignore[zr]? (\w+ ){0,3}instructions\b"
    r"|\bignor[ae]\w* (\w+ ){0,3}(instrucciones|istruzioni)|\bnegeer (\w+ ){0,3}instructies",
    re.MULTILINE,
)
_MACHINE_ROLE = re.compile(
    r"^[^\w]*(?P<role>system|assistant|developer|admin)[^\w:]*( ?(prompt|message|override|note))?[^\w:]*:", re.MULTILINE
)
_CLAIMS_FILE = compile_phrases(
    r"""
    (attached|enclosed|is attached|are attached)
    (see|in|find|the|an?|my|our)( \w+)? (attachments?|enclosures?)
    (anbei|im anhang|angehangt|beigefugt|ci[- ]?joint*|en piece jointe|adjunt[oa]s?)
    (in allegato|allegat[oaie]|in (de )?bijlage|bijgevoegd)
    """
)
_DENIES_FILE = compile_phrases(
    r"""
    (not|n't|nothing|never|no|forgot|without|will be|to be) ... (attach*|enclos*)
    (you|your|the) ... (you )?(sent|attached|enclosed) (is|was|does|did|cannot|can't|won't|doesn't)
    (nicht|kein*|pas|sin|non|niet|geen) ... (anhang|angehangt|beigefugt|joint*|adjunt*|allegat*|bijlage|bijgevoegd)
    """
)
_WANTS_FILE = compile_phrases(
    r"""
    (attach*|files?|pdf|scan|scans|scanned|signed|countersigned|documents?|certificates?|copy|copies|photos?|upload*)
    (w-?9|w-?8\w*|proof of|screenshots?|unterschrieben*|dokument*)
    """
)
# The things that an objective like "Collect a signed W-9" is after; "the W-9 details" are none.
_FILE_NOUN = compile_phrases(
    r"""
    (w-?9|w-?8\w*|pdfs?|scans?|documents?|files?|certificates?|copy|copies|photos?|screenshots?|proof|forms?){VALUE}
    (signed|countersigned|executed|scanned) ((?!by|on|off|up)[\w-]+)
    """,
    VALUE=r"(?! (number|no|date|id|name|details?|information|info|data|fields?|values?|status|title)s?\b)",
)
_OBTAIN = compile_phrases(
    r"""
    (collect*|get|gets|obtain*|request*|gather*|receive|secure|fetch|acquire|retrieve|procure|solicit|chase|need*)
    (send|sends|return|returns|provide|provides|upload*|attach|attaches|forward|forwards|share|ask ... for)
    """
)
_DETERMINERS = r"((a|an|the|our|your|their|his|her|its|this|that|new|current|signed|written|completed|filled) )*"
# "The tax ID for our W-9", "a confirmation that the form came": the file is not what is wanted.
_ASIDE = re.compile(
    rf"\b(for|on|of|about|regarding|in|per|from|with|to|as|by) {_DETERMINERS}\Z|\bthat\b"
    # "The details for our vendor file".
    r"|\bfor (our|your|their|his|her|its|the) [\w-]+ \Z"
)
_IS_QUESTION = compile_phrases("(whether|if|who|when|where|why|how|which|(confirm|verify|check) that)")
_WAIVES_FILE = compile_phrases(
    r"""
    {FILE}( is| are|'s)? (no longer|not)( really)? {NEEDED}
    {FILE} (isn't|aren't)( really)? {NEEDED}
    (we|i) (do not|don't|no longer) (really )?(need|require) {FILE}{PLAIN}
    no {FILE}( is| are)? {NEEDED}
    (go on|go ahead|continue|proceed|complete|close|accept|take|do) ... without {FILE}
    (skip|forget( about)?|never mind) {FILE}
    (we|i)('ve| have)?( already| since)? (received|got) {FILE}
    (we|i) already (have|hold) {FILE}
    (we|i)( do)? (have|hold) {FILE}( already| now| here| on file)?$
    {FILE}( has| was| is|'s)?( already)? (came|come|arrived|received|reached us|here|on file)( \w+)? {ELSEWHERE}
    {FILE}( has|'s)?( been)? already (come|came|arrived|been received|received|reached us|here|on file)
    """,
    FILE=r"((the|a|an|any|this|that|her|his|their|signed) )*(files?|forms?|documents?|w-?9|scan|copy|attachment|pdf)",
    NEEDED="(needed|required|necessary){PLAIN}",
    # "Not needed before Friday" and "not in print" still want it.
    PLAIN=r"(?! (before|until|till|by|in|on|as|to|with|today|yet|this|right|immediately)\b)",
    ELSEWHERE="(by|in|through|via|otherwise|elsewhere|yesterday|today|already|separately)",
)
_STILL_WANTS_FILE = compile_phrases(
    r"(not|never|nothing|cannot|\w+n't) ... (received|got|have|come|came|arrived|without)"
)
_THANKS = compile_phrases(
    r"""
    ^((ok|okay|great|perfect|hi|hello)[ ,!.]*)*(many )?(thanks|thank you|cheers|danke|vielen dank|merci|gracias|grazie)
    ^(ok|okay|great|well|message|mail)?[ ,]*(got it|noted|received|understood|bedankt|dank u)( with thanks)?$
    ^(we|i)( have|'ve)? (received|got) your (e-?mail|message|request|note|mail)
    ^this is to (confirm|acknowledge) (receipt|that we (have )?received)
    ^(wir haben ihre|ihre) (e-?mail|nachricht|anfrage) ... erhalten
    """
)
_REDIRECT = compile_phrases(
    r"""
    (wrong (person|address|department|contact)|no longer (work*|with)|left the company)
    not (the right|responsible)
    (contact|ask|write to|speak (to|with)|reach out to|talk to) (?!me|us|you)(my |our |the )?\w+
    (forward*|passed|passing|pass) (this|it|you|your \w+)( on)?( to)?
    (i've|i have|have|we have) (copied|cc'?d|added)
    (cc'?ing|looping in|in cc|in copy)
    (falsche[rn]? ansprechpartner|nicht zustandig|wenden sie sich an|adressez-vous a|no soy la persona|si rivolga a)
    """
)


def is_meant_for_machine(reply: Reply, labels: Sequence[str]) -> bool:
    """Say whether the mail, or a file's name, gives orders to the program that reads it; `labels` are our fields."""
    names = "\n".join(file.name for file in reply.message.attachments)
    if _MACHINE.search(fold(f"{reply.message.text[:20_000]}\n{names}")):
        return True
    asked = {fold(label) for label in labels}
    return any(match["role"] not in asked for match in _MACHINE_ROLE.finditer(fold(reply.words)))


def find_reservation(reply: Reply) -> str:
    """Return the sentence in which the writer does not stand by what the mail gives, or ""."""
    return _find(_RESERVATION, reply)


def claims_file(reply: Reply) -> bool:
    """Say whether the mail says that something is attached."""
    return bool(list_claims(reply))


def list_claims(reply: Reply) -> list[str]:
    """Return the folded sentences that say that something is attached."""
    return [part for part in reply.folded if _CLAIMS_FILE.search(part) and not _DENIES_FILE.search(part)]


def wants_file(text: str) -> bool:
    """Say whether an objective or a field's wording is about a file."""
    return bool(_WANTS_FILE.search(fold(text)))


def collects_file(objective: str) -> bool:
    """Say whether an objective is to obtain a file, and not merely something about one."""
    folded = " ".join(fold(objective).split())
    for noun in _FILE_NOUN.finditer(folded):
        before = folded[: noun.start()]
        if re.fullmatch(_DETERMINERS, before):
            return True
        verbs = list(_OBTAIN.finditer(before))
        if verbs and not _IS_QUESTION.search(before) and not _ASIDE.search(before[verbs[-1].end() :]):
            return True
    return False


def waives_file(question: str, answer: str) -> bool:
    """Say whether a human's answer tells that the file is not needed or has come another way.

    "It" is the file only where we asked about one that did not come.
    """
    parts = [" ".join(fold(part).split()) for part in split_sentences(answer)]
    if "no file" in fold(question):
        parts = [re.sub(r"\bit\b", "the file", part) for part in parts]
    return any(_WAIVES_FILE.search(part) and not _STILL_WANTS_FILE.search(part) for part in parts)


def is_only_thanks(reply: Reply) -> bool:
    """Say whether the mail thanks or acknowledges and says nothing else."""
    return bool(reply.folded) and all(_THANKS.search(part) and "?" not in part for part in reply.folded)


def find_redirect(reply: Reply) -> str:
    """Return the sentence that points at somebody else, or ""."""
    return _find(_REDIRECT, reply)


def _find(pattern: re.Pattern[str], reply: Reply) -> str:
    pairs = zip(reply.folded, reply.sentences, strict=True)
    return next((original for folded, original in pairs if pattern.search(folded)), "")
