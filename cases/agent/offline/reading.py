"""What the thread says since our last mail, ready for the rules; must not judge it."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from cases.agent.guard import remove_invisible
from cases.agent.protocol import AttachmentView, CaseView, ThreadMessage
from cases.agent.text import find_own_words

_GREETING = re.compile(
    r"(hi|hello|hey|dear|good (morning|afternoon|evening|day)|guten (tag|morgen|abend)|hallo|liebe[r]?|moin"
    r"|sehr geehrte[r]?|bonjour|salut|chere?|hola|buenos dias|buenas tardes|estimad[oa]|ciao|buongiorno|salve"
    r"|gentile|beste|geachte|dag|goedemorgen|goedemiddag)"
    r"(?!.*\b(not?|we|i|i'm|is|are|it|this|that|yes|ok|stop|done|confirm\w*|agree\w*|decline\w*|ja|nein|nicht|kein\w*|wir"
    r"|ich|oui|ne|pas|nous|je|si|nos|yo|non|noi|io|nee|niet|geen|wij|ik)\b)"
    r"(\s+[\w.'-]+){0,4}\s*[,!.:-]?"
)
_INLINE_GREETING = re.compile(r"(hi|hello|hey|dear|hallo|bonjour|hola|ciao) \w+( \w+)?\s*[,!-]\s*(?=\S)")
_CLOSING = re.compile(
    r"(thanks|thank you|many thanks|cheers|best|best regards|kind regards|warm regards|regards|sincerely|all the best"
    r"|best wishes|yours (sincerely|faithfully|truly)|mit freundlichen grussen|mit freundlichem gruss|mfg"
    r"|(viele|liebe|beste|freundliche) grusse|danke( sehr)?|vielen dank|cordialement|bien cordialement|merci"
    r"|(un )?saludos?|un cordial saludo|gracias|atentamente|cordiali saluti|distinti saluti|grazie|saluti"
    r"|met vriendelijke groet(en)?|groeten|bedankt)( (and|und|et|y|e|en) .{1,30})?\s*[,.!]*"
)
_ABBREVIATION = re.compile(
    r"(?<![\w.])(\d{1,2}|[a-z]|mrs?|ms|dr|prof|inc|ltd|corp|co|no|nr|approx|e\.g|i\.e|z\.b|bzw|vs|st|dept)\Z",
    re.IGNORECASE,
)
_LOGO = re.compile(r"(image\d*|logo.*|icon.*|signature.*|banner.*|unnamed.*|outlook-.*)\.(png|jpe?g|gif|bmp|svg|webp)")


def fold(text: str) -> str:
    """Return the text as the rules compare it: small letters without accents, plain apostrophes, no invisible ones."""
    decomposed = unicodedata.normalize("NFKD", remove_invisible(unicodedata.normalize("NFKC", text)).casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return plain.translate({0x2019: "'", 0x2018: "'", 0x00B4: "'", 0x0060: "'", 0x201C: '"', 0x201D: '"', 0x201E: '"'})


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a mail: wrapped lines joined, list items and short lines on their own."""
    paragraphs: list[str] = []
    is_open = False
    for line in (raw.strip() for raw in text.split("\n")):
        continues = bool(line) and not re.match(r"[-*\u2022\d]+[.)]?\s", line)
        if is_open and continues and (line[:1].islower() or len(paragraphs[-1].rsplit("\n", 1)[-1]) >= 50):
            paragraphs[-1] += f" {line}"
        elif line:
            paragraphs.append(line)
        is_open = bool(line) and not line.endswith((".", "!", "?", ":", ";"))
    pieces = [piece.strip() for part in paragraphs for piece in _cut(part)]
    return [piece for piece in pieces if re.search(r"\w", piece)]


def _cut(paragraph: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in re.finditer(r"[.!?]+[\"')]*\s+(?=\S)", paragraph):
        # "8. Dezember" and "Mr. Kim" do not end a sentence.
        if match[0].startswith(".") and _ABBREVIATION.search(paragraph, max(0, match.start() - 12), match.start()):
            continue
        pieces.append(paragraph[start : match.end()])
        start = match.end()
    return [*pieces, paragraph[start:]]


@dataclass(frozen=True)
class Reply:
    """One message of a person, reduced to that person's own words."""

    message: ThreadMessage

    @cached_property
    def words(self) -> str:
        """The writer's own text, in its own spelling; "" for a message that only quotes."""
        return remove_invisible(find_own_words(unicodedata.normalize("NFC", self.message.text)))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The sentences in their own spelling, without greeting and closing lines."""
        return tuple(split_sentences("\n".join(_drop_manners(self.words.split("\n")))))

    @cached_property
    def folded(self) -> tuple[str, ...]:
        """The same sentences, folded."""
        return tuple(" ".join(fold(sentence).split()) for sentence in self.sentences)

    @cached_property
    def documents(self) -> tuple[AttachmentView, ...]:
        """Attached files without the pictures of a signature."""
        return tuple(file for file in self.message.attachments if not _LOGO.fullmatch(file.name.casefold()))

    @property
    def excerpt(self) -> str:
        """The beginning of what they wrote, in one line, for a person to read."""
        return shorten(" ".join(self.words.split()), 400)


def _drop_manners(lines: list[str]) -> list[str]:
    kept: list[str] = []
    after_closing = False
    for raw in lines:
        is_first = not any(other.strip() for other in kept)
        # fold() may change the length, so cut at the first separator of the line itself.
        has_greeting = is_first and _INLINE_GREETING.match(fold(raw).lstrip())
        line = re.split(r"[,!-]\s*", raw, maxsplit=1)[-1] if has_greeting else raw
        folded = " ".join(fold(line).split())
        if is_first and _GREETING.fullmatch(folded):
            continue
        if not is_first and _CLOSING.fullmatch(folded):
            after_closing = True
            continue
        # The name under a closing, not a postscript.
        if after_closing and len(folded.split()) <= 4 and not re.search(r"[.?!:]", folded):
            after_closing = not folded
            continue
        after_closing = False
        kept.append(line)
    return kept


@dataclass(frozen=True)
class Reading:
    """The thread of a case, sorted by who wrote it."""

    view: CaseView

    @cached_property
    def ours(self) -> tuple[ThreadMessage, ...]:
        """Our own mails, oldest first."""
        return tuple(message for message in self.view.thread if message.sender == "us")

    @cached_property
    def replies(self) -> tuple[Reply, ...]:
        """Everything the counterparty wrote in person, oldest first."""
        return tuple(
            Reply(message)
            for message in self.view.thread
            if message.sender == "counterparty" and not message.is_automatic
        )

    @cached_property
    def _since_ours(self) -> tuple[ThreadMessage, ...]:
        thread = self.view.thread
        last = max((index for index, message in enumerate(thread) if message.sender == "us"), default=-1)
        return thread[last + 1 :]

    @cached_property
    def newest(self) -> ThreadMessage | None:
        """The newest message a person sent us since our last mail; for a reply that crossed our mail, that one."""
        people = [message for message in self._since_ours if not message.is_automatic]
        if not people and not self._since_ours and self.view.reason in ("reply", "input"):
            people = [m for m in self.view.thread if m.sender != "us" and not m.is_automatic]
        return people[-1] if people else None

    @cached_property
    def pending(self) -> tuple[Reply, ...]:
        """What the counterparty wrote in person since our last mail, oldest first; the newest one decides."""
        waiting = {message.message_id for message in self._since_ours}
        if self.newest is not None:
            waiting.add(self.newest.message_id)
        return tuple(reply for reply in self.replies if reply.message.message_id in waiting)

    @cached_property
    def automatic(self) -> tuple[ThreadMessage, ...]:
        """What machines wrote since our last mail, oldest first."""
        return tuple(message for message in self._since_ours if message.is_automatic)

    @cached_property
    def documents(self) -> tuple[AttachmentView, ...]:
        """Every real file the counterparty sent in this thread."""
        return tuple(file for reply in self.replies for file in reply.documents)


def shorten(text: str, limit: int) -> str:
    """Return the text, cut at a word and marked with an ellipsis when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    return f"{head.rsplit(' ', 1)[0] if ' ' in head[limit // 2 :] else head}\u2026"


def quote(text: str, limit: int = 400) -> str:
    """Return the text in quotation marks with one full stop, as a whole sentence of a question to a human."""
    flat = shorten(" ".join(remove_invisible(text).split()), limit)
    return f'"{flat}"' if flat.endswith((".", "?", "!", "\u2026")) else f'"{flat}".'
