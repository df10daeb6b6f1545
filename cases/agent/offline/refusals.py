"""Whether somebody said no for good; anything less than plain must come out as unsure."""

import re
from enum import StrEnum

from cases.agent.offline.phrases import compile_phrases, list_words
from cases.agent.offline.reading import Reply, fold

MAX_TAIL_WORDS = 10


class Refusal(StrEnum):
    """How much of a "no" a mail is."""

    NONE = "none"
    UNSURE = "unsure"
    CLEAR = "clear"


_DOING = (
    r"(be )?(sign*|send*|provid*|participat*|proceed*|share|sharing|disclos*|complet*|fill*|do (this|that|it|so)|suppl*"
    r"|accept*|agree*|attend*|renew*|continu*|tak(e|ing) part|mov(e|ing) forward|go(ing)? (forward|ahead)|respond*"
    r"|repl*|hand*|comply*|cooperat*|work(ing)? with|engag*|deliver*|answer*)"
)
_ENGLISH = compile_phrases(
    rf"""
    (we|i)( \w+ly| just| also| still)? (will not|won't|will never|shall not) {_DOING}
    (we|i)( \w+ly| just| also)? (do not|don't) (want|wish|intend) to {_DOING}
    (we|i) (have )?decided not to {_DOING}
    (we|i) have no intention (of|to) {_DOING}
    (we|i)( are| am|'re|'m)( \w+ly| also| still)? (not (going|willing|prepared) to|unwilling to) {_DOING}
    (we|i) (will not|won't)$
    (we|i)(( must| have to| will have to| will| hereby| respectfully| politely| regretfully|'ll have to)*) decline
    (we|i)(( must| have to| will| hereby)*) (refuse|reject)
    (we|i)( are| am|'re|'m)( \w+ly)? (declining|refusing)
    (we|i)( are| am|'re|'m)( \w+ly| just| also)? (not|no longer) interested
    ^\W*(sorry\W+|but |no\W+)?(not|no longer) interested
    (we|i) have no interest
    stop (e-?mailing|mailing|writing|contacting|messaging|bothering|spamming|harassing)
    stop sending (me|us|these|any|your)
    (^|please )stop$
    (do not|don't|never) (e-?mail|contact|write|message|bother)( to)? (me|us)
    ^(please )?unsubscribe( me| us)?
    unsubscribe (me|us)
    (remove|take) (me|us|my address|this address) (from|off)
    ^no,? (thanks|thank you)$
    (i'll|we'll|i will|we will)( have to)? pass( on (this|that|it)( one| time)?)?$
    the answer is no
    """
)
_OTHER_LANGUAGES = compile_phrases(
    r"""
    # German
    (kein|keinerlei) interesse
    (wir|ich) lehnen?{THEIRS} ab
    lehnen? (wir|ich){THEIRS} ab
    (ich weigere mich|wir weigern uns)
    (wir|ich) werden? ... nicht (unterschreiben|unterzeichnen|senden|schicken|zusenden|ausfullen|liefern|teilnehmen)
    (kontaktieren sie (uns|mich)|schreiben sie (uns|mir)) (bitte )?nicht (mehr|weiter)
    keine weiteren (e-?mails|nachrichten|anfragen)
    # French
    pas interesse*
    (nous refusons|je refuse|nous declinons|je decline)
    ne souhait(e|ons) pas (donner suite|participer|signer|poursuivre)
    ne (me|nous) contactez plus
    ne plus (me|nous) contacter
    arretez de (m'|me |nous )\w+
    des(abonnez|inscrivez)[ -]moi
    # Spanish
    no (me|nos) interesa
    no est(oy|amos) interesad*
    (?<!no )rechazamos
    (me niego|nos negamos) a
    no (vamos|voy) a (firmar|enviar|participar|facilitar|proporcionar)
    dejen? de (escribir*|enviar*|contactar*)
    no (me|nos) (contacten?|escriban?)
    darme de baja
    # Italian
    non (siamo|sono) interessat*
    non (ci|mi) interessa
    (?<!non )(rifiutiamo|decliniamo)
    mi rifiuto di
    non (intendiamo|intendo) (firmare|procedere|inviare|partecipare|fornire)
    smett(a|ete|etela) di
    non (mi|ci) contatt*
    # Dutch
    geen (interesse|belangstelling)
    niet geinteresseerd
    (wij|we|ik) (weigeren|weiger)
    wijzen (dit|het|uw \w+) af
    niet meer (mailen|contacteren|benaderen)
    stop met (mailen|schrijven)
    schrijf (mij|ons) uit
    """,
    THEIRS="( (hiermit|daher|leider|dankend|das|dies|es|die|den|ihre?n?|diese?n?|angebot|anfrage|anliegen|bitte))*",
)
# In the sentence that says no: a time, a condition, somebody else's words. It is not final then, or not theirs.
_SOFTENER = compile_phrases(
    r"""
    (until|till|before|unless|without|except|if|once|when|while|yet|today|tomorrow|tonight|now|currently|later|moment)
    (this|next|last) (week|month|year)
    (monday|tuesday|wednesday|thursday|friday|weekends?|week|month|by|via)
    (not that|isn't that|never said|didn't say|doesn't mean|does not mean|not saying|not because|no reason|no need)
    (can't|cannot|couldn't|wouldn't|impossible)
    (said|says|told|heard|asked|thinks?|who|which)
    (only|both|version|terms|current|present|as it is|as is|old|previous|wrong|instead|rather|but)
    (maybe|perhaps|might|probably|unsure|not sure)
    (responsibility|liability|to believe|to comment)
    # German, French, Spanish, Italian, Dutch
    (vor|bis|erst|wenn|falls|solange|sofern|derzeit|momentan|aktuell|noch|ohne|aber|jedoch|sondern|nur|nachste*|morgen)
    (heute|jetzt|mehr als|zurzeit)
    (nicht dass|es ist nicht|nicht ab)
    (avant|jusqu*|si|sauf|sans|tant que|pour l'instant|actuellement|encore|mais|ce n'est pas que)
    (antes|hasta|salvo|sin|todavia|por ahora|pero|sino|no es que)
    (prima|fino|finche|se|senza|ancora|per ora|ma|non e che|non che)
    (voor|tot|als|tenzij|zonder|nog|maar|nu|niet dat)
    """
)
# Before the "no": it is somebody else's, or it is itself denied.
_TURNED = compile_phrases(
    r"(he|she|they|you|someone|nobody|customers?|clients?|boss|lawyer|manager|not|never|hardly|\w+n't|say|saying)"
)
# Anywhere else in the mail: they still offer something, so the "no" is one step of a conversation.
_CONSTRUCTIVE = compile_phrases(
    r"""
    (attach*|enclos*|instead|alternativ*|however|but|although|could|would|can|willing|happy|glad|let me|let us)
    (unless|until|before|once|if|when|discuss*|offer*|propos*|suggest*|counter*|prefer*|next (week|month|year))
    (wrong|misspel*|mistake*|incorrect*|error*|missing|correct*|fix*|chang*|updat*|new|revis*|yet|instead)
    (ignore (my|that|the)|will|'ll) (?!not|pass|never|have to pass)\w+
    (joking|kidding|joke|april fools?|scherz|spass|quatsch|blague|plaisant*|rigol*|broma|scherz*|grapje|nope|not really)
    will$
    (yes|confirmed|agreed|deal)
    (aber|jedoch|stattdessen|konnen|konnten|gerne|anbei|anhang|mais|cependant|pouvons|ci-joint)
    (pero|podemos|podriamos|adjunto|sin embargo|possiamo|potremmo|allegato|tuttavia|maar|kunnen|bijlage|bijgevoegd)
    """
)
# A "no" to being written to at all, in the sentence that judge_refusal found plain.
_SILENCE = compile_phrases(
    r"""
    stop (e-?mailing|mailing|writing|contacting|messaging|bothering|spamming|harassing)
    stop sending (me|us)
    ^(please )?stop$
    (do not|don't|never) (e-?mail|contact|write|message|bother)( to)? (me|us)
    unsubscribe*
    (remove|take) (me|us|my address|this address) (from|off)
    (kontaktieren sie (uns|mich)|schreiben sie (uns|mir)) (bitte )?nicht (mehr|weiter)
    keine weiteren (e-?mails|nachrichten|anfragen)
    ne (me|nous) contactez plus
    ne plus (me|nous) contacter
    arretez de (m'|me |nous )\w+
    des(abonnez|inscrivez)[ -]moi
    dejen? de (escribir*|enviar*|contactar*)
    no (me|nos) (contacten?|escriban?)
    darme de baja
    smett(a|ete|etela) di
    non (mi|ci) contatt*
    niet meer (mailen|contacteren|benaderen)
    stop met (mailen|schrijven)
    schrijf (mij|ons) uit
    """
)
_CONTACT = compile_phrases("(stop|unsubscribe|remove|take|contact|write|message|bother|e-?mail)")
_PROMISED = compile_phrases("(your (data|info|information|details|address|documents?)|e-?mails?|mails?)")
# Why somebody says no; it does not make the "no" smaller.
_REASON = compile_phrases(
    r"""
    (policy|policies|budget|capacity|resources|priorit*|privacy|confidential*|legal|lawyers?|compliance)
    (already (have|work|use)|(another|different|other) (supplier|vendor|provider|company|solution|partner))
    (our|the|this|my) decision|decision is final|(we|i)( have|'ve)? (decided|chosen|opted)|(not|isn't) a (good )?fit
    (hope you understand|understand|no (further )?(need|use)|regret*|apolog*|sorry|inconvenience|appreciate*)
    (all the best|good luck|kind regards|best wishes|sincerely)
    """
)
# Polite words that change nothing; taken out before the tables above look.
_COURTESY = re.compile(
    r"\bif (anything|this|that|things|our situation|circumstances|our needs) changes?[^.!?]*"
    r"|\b(please )?(let (me|us) know|contact (me|us)|feel free to \w+|do not hesitate|don't hesitate)[^.!?]{0,25}"
    r"\bif (you|there)\b[^.!?]*"
    r"|\bif you (have|need) (any |anything )?(further |other |more )?(questions?|else)[^.!?]*"
    r"|(?<!no )(?<!no, )\b(thanks|thank you)\b[^.!?,;]*|\b(we|i) (wish you|hope you)[^.!?]*|\bgood luck[^.!?]*"
    r"|\bafter (careful|some|due) (consideration|thought)\b|\bat this time\b|\bbest of luck[^.!?]*"
)


def asks_for_silence(sentence: str) -> bool:
    """Say whether a plain "no" is one to being written to at all, and not only to what was asked."""
    return _SILENCE.search(fold(sentence)) is not None


def judge_refusal(reply: Reply, objective: str) -> tuple[Refusal, str]:
    """Return how much of a "no" the mail is, and the sentence that says it ("" for none).

    CLEAR only when the sentence is the writer's own, about what was asked, without time or condition, and the rest of
    the mail is courtesy or reasons: whoever goes on to offer, ask, correct or enclose something is still talking.
    """
    sentences = [_COURTESY.sub(" ", sentence).strip() for sentence in reply.folded]
    found = [index for index, sentence in enumerate(sentences) if _find(sentence)]
    if not found:
        return Refusal.NONE, ""
    quote = reply.sentences[found[0]]
    is_plain = all(_is_plain(sentences[index], objective) for index in found)
    others = [sentence for index, sentence in enumerate(sentences) if index not in found]
    # A lone "unsubscribe" below other text is the footer of somebody's mail program.
    is_footer = found[0] > 0 and bool(re.fullmatch(r"(please )?(unsubscribe|stop)\W*", sentences[found[0]]))
    if not is_plain or is_footer or reply.documents or not all(_adds_nothing(sentence) for sentence in others):
        return Refusal.UNSURE, quote
    return Refusal.CLEAR, quote


def _adds_nothing(sentence: str) -> bool:
    """Say whether a sentence beside a "no" leaves it as it is: too short to say more, or one of the known reasons."""
    if "?" in sentence or _CONSTRUCTIVE.search(sentence):
        return False
    return len(re.findall(r"\w+", sentence)) <= 3 or bool(_REASON.search(sentence))


def _find(sentence: str) -> re.Match[str] | None:
    return _ENGLISH.search(sentence) or _OTHER_LANGUAGES.search(sentence)


def _is_plain(sentence: str, objective: str) -> bool:
    match = _find(sentence)
    if match is None or "?" in sentence or '"' in sentence or ":" in sentence:
        return False
    head, tail = sentence[: match.start()], sentence[match.end() :]
    # "Thanks, but we will not sign" is plain; a "but" after the "no" is not.
    head = re.sub(r"^[^\w]*(sorry|unfortunately|regrettably|thanks|thank you|no)?[^\w]*(but )?", "", head.strip() + " ")
    if _TURNED.search(head) or any(_SOFTENER.search(part) for part in (head, match[0], tail)):
        return False
    words = re.findall(r"[\w'-]+", tail)
    if len(words) > MAX_TAIL_WORDS or re.search(r"[,;\u2013-] ?(we|i|it|here|use|please|the|our|my)\b", tail):
        return False
    if _OTHER_LANGUAGES.search(sentence):
        return all(word in _GENERIC_TAIL_ELSEWHERE for word in words)
    # "We will never share your data" and "we will not send you e-mails" are promises.
    is_about_contact = _CONTACT.search(match[0]) is not None
    if not is_about_contact and re.search(
        r"\byour (data|info|information|details|address|documents?)\b|mails?\b", tail
    ):
        return False
    return _is_about(words, objective)


_GENERIC_TAIL = list_words(
    """
    a an the any this that these those it to of for in with and or on at from by all such so please time
    you your us me my our we i further again anymore more anything out part forward ahead sorry unfortunately
    information info data details document documents form forms request offer proposal opportunity contract agreement
    quote project e-mails emails mails messages list mailing database contacts kind regards
    sign send provide share complete fill participate
    """
)


_GENERIC_TAIL_ELSEWHERE = list_words(
    """
    mehr daran an ihrem ihren ihr angebot anliegen anfrage formular leider danke vielen dank ab weiter das dies diese
    merci par votre proposition offre demande cette la le les de a nous vous
    gracias su oferta propuesta solicitud en esta este
    grazie alla vostra sua proposta offerta richiesta questa
    bedankt aan in uw aanbod voorstel het dank u sorry
    me mir uns mich moi
    """
)


def _is_about(tail: list[str], objective: str) -> bool:
    """Say whether what is refused is what was asked for: "we will not give refunds" refuses something else."""
    asked = {word[:5] for word in re.findall(r"[\w-]+", fold(objective))}
    return all(word in _GENERIC_TAIL or word[:5] in asked for word in tail)
