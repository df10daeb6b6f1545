"""Whether a mail says nothing beside what the rules have understood; an unknown word counts as something.

Lists of doubtful words are never complete: "that was last year's", "just kidding", "my deputy attends". So a verdict
needs a mail made of known words alone, and whatever else somebody writes is for a human to read.
"""

import re
from collections.abc import Iterable, Iterator

from cases.agent.offline.phrases import list_words
from cases.agent.offline.reading import Reply, fold, split_sentences

# English, German, French, Spanish, Italian, Dutch and greetings of others, folded: small letters without accents.
# Nothing here denies, limits, delays or hands over anything.
_HARMLESS = list_words(
    """
    a abend abril absolutely accept accepted accompanying accord accordo acuerdo adjunta adjunto adjuntos advance
    afternoon again agosto agree agreed ahead akkoord al all alla allegata allegati allegato also always am an anbei
    and anfrage angaben angebot anhang answer answers any anything aout approve approved apr april aprile aqui are as
    asked asking at attach attached attachment attend attending au auftrag aug august augustus avril be bedankt been
    below bene bericht best bestatige bestatigen bestatigt beste bevestig bevestigd bevestigen bien bij bijgevoegd
    bijlage boa bonjour bonsoir both buenas buenos buonasera buongiorno by c'est can ce certainly cette checking
    cheers chf ci ciao come comme como complete completed con confermata confermato confermiamo confermo confirm
    confirmada confirmado confirmamos confirmation confirme confirmed confirming confirmo confirmons confirms contact
    copy cordial cordialement cordiales cordiali correct count countersigned counts course cumprimentos d'accord
    d'accordo dag dank danke das data date daten dates dati datos day days de dear dec december decembre definitely
    del delay della dem demande den der des detail details deze dezember di dias dicembre diciembre did die dienstag
    dimanche dinsdag distinti do dobry document documents domenica domingo donderdag done donnees donnerstag dr du
    dzien e ecco een einverstanden el else email en enclose enclosed enero es est estimada estimado et eur euro euros
    evening everything excellent excited faithfully feb febbraio febrero februar februari february feel fevrier few
    file files find fine five following follows for form forms forward four frau free freitag freundlichem
    freundlichen fri friday from fully fur further gbp geachte geehrte geehrter gegevens geht gennaio gentile gern
    gerne gevraagd gewunscht gewunschten giovedi giugno glad gladly glance gli go good got gracias grazie great
    greetings groet groeten gruss grusse grussen guten had hallo halsningar happy has have hej hello help helps here
    hereby herr hesitate het hey hi hier hierbij hiermit hoi hola hope i i'm i've ich ihr ihre ihren ik il im in info
    information io is ist it it's item items its ja jan januar januari january janvier je jeudi joint jointe joints
    json jueves juillet juin jul juli julio july jun june juni junio kg kind know l' la las late le les let liebe
    lieber lieferung like line lines lo looking los love lovely luglio lundi lunedi lunes maandag maart madam madame
    maggio mai mail many mar march mardi mars martedi martes marz marzo may mayo me mei mein meine mensaje merci
    mercoledi mercredi message messaggio met mfg mich miercoles mir misread mit mittwoch mon monday monsieur montag
    morgen morning mr mrs ms my nachricht name nd need needed net nett nice noi nosotros nous nov november novembre
    noviembre now number numbers obrigada obrigado oct october octobre octubre of off ok okay oktober om on op order
    ottobre oui our ours page pages para part passt patience pdf per perfect photo picture please pleased pleasure por
    pour pozdrawiam pozdrowienia presto provided que question questions quick rd reach regards reminder reminding
    rendez reply request requested richiesti richiesto right sabado sabato saludos salutations saluti samedi samstag
    sat saturday scan scanned see seeing seguenti sehr send sending sent sep sept september septembre septiembre
    settembre she short si side sie signed siguientes sincerely sind sir so some sonntag sorry st stimmt su sun sunday
    suo sure tag take tarde tardes team termin th thank thanks that that's the their them then there these they this
    those three thu thursday tiene to too true truly tue tuesday two u uhr um un una und une uno uns unser unsere
    unseren us usd uw va value values van vanliga vendredi venerdi viele vielen viernes voici von voor vostro votre
    vous vriendelijke vrijdag warm warmly we we're we've wed wednesday week weekend well were which wie wij will wir
    wishes with woensdag wonderful work works would y yes yo you your yours zaterdag zijn zoals zondag zu zum zur
    """
)
# Said about anything, whatever single words in it may mean.
COURTESY = re.compile(
    r"\bno (problem|worries|changes|issues?|objections?)( (at all|from (our|my) (side|end)))?\b"
    r"|\b(please )?let (me|us) know if (you|there)[^.!?]*|\bif you (have|need) (any|anything)[^.!?]*"
    r"|\b(thanks|thank you) (so much |very much |a lot )?for (your|the) (e-?mail|message|note|reminder|patience|help)\b"
    r"|\bsorry for (the|my|our)( late| slow)? (reply|response|delay|answer)\b|\b(see|speak to|talk to) you then\b"
    r"|\bhave a (good|great|nice)[^.!?]*|\blooking forward[^.!?]*|^si,? (?=confirm|de acuerdo|conferm)"
)
_ROLES = list_words(
    """
    accounting accounts payable receivable administration agency assistant bookkeeping ceo cfo co company coordinator
    cto customer department desk director division events executive finance fax fon gmbh head hr inc legal limited llc
    ltd management manager managing mobile office officer operations owner partner phone procurement purchasing
    reception sales secretary service services support team tel telephone vat web www
    einkauf verkauf vertrieb buchhaltung geschaftsfuhrer geschaftsfuhrung leitung abteilung sekretariat
    direction comptabilite achats ventas compras contabilidad acquisti vendite amministrazione inkoop verkoop
    """
)
_DENYING = list_words("not no never none without nothing nobody cannot don't nicht kein keine ohne ne pas sin non niet")
_WORD = re.compile(r"[^\W_]+(?:'[^\W\d_]+)?")
_REACHED_AT = re.compile(r"[@|]|www\.|\+\d|\d{5}")
_MOST_SIGNATURE_LINES = 6


def list_known_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words and figures of the texts, as mails are compared with them; none of them denies anything."""
    words = (word for text in texts for word in _WORD.findall(fold(text.replace("_", " "))))
    return frozenset(words) - _DENYING


def find_unread(reply: Reply, known: frozenset[str], read: Iterable[str] = ()) -> str:
    """Return the first sentence of the mail with a word that is neither courtesy nor known, or "".

    `read` are passages that were understood as a whole, such as a JSON object.
    """
    known |= list_known_words([reply.message.sender_name])
    text = reply.words
    for passage in read:
        text = text.replace(passage, "\n")
    # A remark of the form's own within a label, as in "Legal name (as shown)".
    text = re.sub(r"\([^)\n]{0,200}\)(?=[\"'*_\s]{0,5}[:=])", " ", text)
    for sentence in split_sentences("\n".join(_drop_signature(text.split("\n"), known))):
        # A question is answered or passed on for itself.
        if not sentence.rstrip("\"') ").endswith("?") and not _is_known(sentence, known):
            return sentence
    return ""


def _is_known(sentence: str, known: frozenset[str]) -> bool:
    words = _WORD.findall(COURTESY.sub(" ", " ".join(fold(sentence).split())))
    return all(word in known or word in _HARMLESS or (len(word) == 1 and not word.isdigit()) for word in words)


def _drop_signature(lines: list[str], known: frozenset[str]) -> Iterator[str]:
    """Yield the lines without those under the writer's name that say who and where the writer is."""
    below = 0
    for line in lines:
        words = _WORD.findall(fold(line))
        if 0 < below <= _MOST_SIGNATURE_LINES and words:
            below += 1
            if _REACHED_AT.search(line) or all(word in known or word in _ROLES or word.isdigit() for word in words):
                continue
        below = 1 if 0 < len(words) <= 5 and words[-1] in known and _is_known(line, known) else below if words else 0
        yield line
