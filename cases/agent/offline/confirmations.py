"""Whether somebody plainly agreed; one doubtful word anywhere in the mail and the answer is no."""

import re
from datetime import date

from cases.agent.offline.dates import find_dates
from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.plainness import COURTESY
from cases.agent.offline.reading import Reply, fold

_YES = compile_phrases(
    r"""
    ^(yes,? |ok,? |okay,? |all |hereby |(this|it|that) is |(it|that)'s )*(confirmed|agreed|approved|accepted|done)
    ^(the|your|our|my|this|that) [\w -]{2,60} (is|are) (hereby |now )?(confirmed|approved|accepted|correct)
    ^(yes,? )?(i|we)( can| do| hereby| gladly| (am|are) (happy|pleased) to|'(m|re) (happy|pleased) to)* confirm
    ^(yes,? )?happy to confirm
    ^(yes,? )?(i|we)( fully| are| am|'re)? (agree|agreed|accept|approve)
    ^(yes|ok|okay|sure),? [\w .]{1,40} (works|suits|is (fine|good|ok|okay|correct|right))
    ^(all good|perfect|great|sure|va bene),? (and )?(confirmed|agreed|approved|confermiamo|confermo)
    ^(that|this|it) works( well| perfectly| fine)?( for (me|us))?$
    ^yes,? (please )?go ahead
    # German, French, Spanish, Italian, Dutch
    ^(ja,? )?(hiermit )?bestatig(e|en|t)
    (ich|wir) bestatigen?
    ^(ja,? )?(einverstanden|erledigt|das (passt|geht|stimmt))
    ^(oui,? )?(je|nous) (le |vous )?confirm(e|ons)
    ^(oui,? )?(c'est )?(confirme|d'accord)
    ^(si,? )?(confirmado|confirmamos|confirmo|de acuerdo)
    ^(si,? )?(confermo|confermiamo|confermato|d'accordo)
    ^(ja,? )?(bevestigd|akkoord)
    (wij|we|ik) bevestigen?
    (hierbij|bij deze) bevestig (ik|wij)
    """
)
# Any of these in the mail and it is no plain yes. Long on purpose: "almost agreed" costs a question, not a case.
_DOUBT = compile_phrases(
    r"""
    (not|no|never|none|nothing|cannot|can't|\w+n't|nor|neither|without|unable|un(confirmed|approved|signed|likely))
    (but|however|although|though|except|unless|if|provided|providing|subject to|condition*|assuming|depend*|pending)
    (once|when|whenever|after|until|till|before|as soon as|as long as|only)
    (partly|partially|almost|nearly|mostly|half|another|in general|details|to follow|still|open|outstanding|please note)
    (maybe|perhaps|probably|possibly|hopefully|likely|might|may|could|would|should|think|believe|guess|suppose|assume)
    (try|hope|expect|tentativ*|provisional*|preliminar*|draft|tbc|tbd|to be|in principle|in theory|verbally|informally)
    (need|needs|require*|want|wants|prefer*|rather|instead|issue|issues|problem|problems|concern*|question|questions)
    (unfortunately|regret*|late|later|delay*|postpon*|reschedul*|cancel*|wrong|mistake|incorrect|different|chang*)
    (discuss*|wait|waiting|correction|revised|revise|update|updated|move|moved|more time|hold|stop|unsubscribe)
    (refus*|declin*|reject*|done with|disagree*|object|objection|withdraw*)
    (i|we)('ll| will| shall| (am|are) going to)( \w+)? (send|confirm|get|check|let|sign|reply|respond|return)
    (i|we)('ll| will| shall| (am|are) going to)( \w+)? (provide|forward|review|look|ask|talk|find|follow|do|have)
    (said|told|heard|apparently|according|asked|who|which|he|she|they|my \w+ (has|have|is|are|was))
    (receipt|reception|receiv*|got your|(your|this|the) (e-?mail|mail|message|note)|already told)
    ((last|next) (week|month|year)|yesterday|earlier)
    (agreed (that|to|with)|agree (that|it|to|you|with)|accept(ed)? (that|your apolog*))
    (out of (the )?office|vacation|away|holiday|back (on|in))
    (confirm|confirming|confirmed) (whether|that (you|he|she|they))
    # "I can confirm I work here" confirms something else.
    confirm (that )?(i|we)(?! (hereby |fully |gladly )*(accept|agree|approve|attend|confirm|(are|am) attending)\b)
    # German
    (nicht|kein*|noch|aber|jedoch|wenn|falls|sobald|erst|vorbehalt*|vielleicht|wahrscheinlich|eingang|erhalt|leider)
    (werde|werden|eventuell|grundsatzlich|unter der|bis|nachdem|urlaub|sofern|nur|ausser)
    # French
    (ne|n'\w+|pas|mais|si|quand|des que|sous reserve|peut-etre|reception|malheureusement|sauf|apres|avant|en principe)
    # Spanish
    (no|pero|cuando|aun|todavia|salvo|quizas?|recepcion|en cuanto|si (usted|me|nos|no|es)|despues|antes|excepto)
    # Italian
    (non|ma|se|quando|appena|forse|ricezione|purtroppo|salvo|dopo|prima|eccetto|in linea di massima)
    # Dutch
    (niet|geen|maar|als|zodra|nog|misschien|ontvangst|helaas|voorbehoud|tenzij|pas|behalve)
    """
)


def find_confirmation(reply: Reply) -> str:
    """Return the sentence that plainly agrees, or "" when the mail asks, limits, defers or denies anything."""
    if is_doubtful(reply):
        return ""
    for sentence, original in zip(_harmless_removed(reply), reply.sentences, strict=True):
        if _YES.search(sentence):
            return original
    return ""


def is_doubtful(reply: Reply) -> bool:
    """Say whether any word of the mail asks, limits, defers or denies."""
    return any("?" in sentence or _DOUBT.search(sentence) for sentence in _harmless_removed(reply))


def names_other_facts(reply: Reply, case_text: str, today: date) -> bool:
    """Say whether the mail agrees to a day or figure that is not the one we named: "confirmed for 4 March"."""
    ours, theirs = fold(case_text), " ".join(reply.folded)
    our_days = {found.day for found in find_dates(ours, today)}
    their_days = {found.day for found in find_dates(theirs, today)}
    if our_days and their_days - our_days:
        return True
    our_figures = _find_figures(ours, today)
    return bool(our_figures and _find_figures(theirs, today) - our_figures)


def _find_figures(folded: str, today: date) -> set[str]:
    """Return the numbers of a text that are neither dates nor times of day."""
    rest = folded
    for found in reversed(find_dates(folded, today)):
        rest = f"{rest[: found.start]} {rest[found.end :]}"
    rest = re.sub(r"\b\d{1,2}[:.h]\d{2}\b|\b\d{1,2} ?(am|pm|uhr|h)\b", " ", rest)
    return {re.sub(r"[.,]", "", number) for number in re.findall(r"\d+(?:[.,]\d+)*", rest)}


def _harmless_removed(reply: Reply) -> list[str]:
    return [COURTESY.sub(" ", sentence).strip(" ,;") for sentence in reply.folded]
