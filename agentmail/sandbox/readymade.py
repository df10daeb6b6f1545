"""PURE: ready-made replies of a counterparty, fitted to the mail that they answer; must not know the database."""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

MAX_FIELDS = 15
_SCANNED_LINES = 200

# A list item: its label ends at a colon, a question mark, a dash or the hint in parentheses.
_LIST_ITEM = re.compile(
    r"^\s*(?:[-*\u2022\u2013]|\d{1,2}[.)])\s+(?P<label>\S[^:(?\u2014]{0,80}?)\s*(?:\((?P<hint>[^)]{0,120})\).*|[:?\u2014].*)?$"
)
_CHOICE = re.compile(r"(?P<first>[^,]{1,40}?)(?:, [^,]{1,40})*,? or [^,]{1,40}(?:, optional)?")


class ReadyMadeKind(StrEnum):
    """What the reply does."""

    ANSWER = "answer"
    QUESTION = "question"
    REFUSAL = "refusal"
    AWAY = "away"


@dataclass(frozen=True)
class AskedField:
    """One thing that a mail asks for; the hint is what it says in parentheses behind the label."""

    label: str
    hint: str = ""


@dataclass(frozen=True)
class ReadyMadeFile:
    """One file that goes with the reply."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class ReadyMadeReply:
    """One reply; no subject means the usual `Re: …`."""

    text: str
    subject: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    files: tuple[ReadyMadeFile, ...] = ()


def compose_reply(kind: ReadyMadeKind, asked: str, subject: str, name: str, today: date) -> ReadyMadeReply:
    """Returns the reply of that kind to a mail with this text and subject, signed with the name."""
    if kind is ReadyMadeKind.ANSWER:
        return _answer(asked, name, today)
    if kind is ReadyMadeKind.QUESTION:
        return ReadyMadeReply(
            text=_sign("Before I look into this: who else on your side will see it, and by when do you need it?", name)
        )
    if kind is ReadyMadeKind.REFUSAL:
        return ReadyMadeReply(text=_sign("Thank you for asking, but we decline. Please do not contact us again.", name))
    back = today + timedelta(days=7)
    return ReadyMadeReply(
        subject=f"Automatic reply: {subject}",
        text=_sign(f"I am out of the office and back on {back:%B} {back.day}, {back.year}.", name),
        headers={"Auto-Submitted": "auto-replied", "X-Autoreply": "yes"},
    )


def find_asked_fields(asked: str) -> list[AskedField]:
    """Returns what the mail asks for in list items, in order, each label once; at most 15."""
    found: dict[str, AskedField] = {}
    for line in asked.splitlines()[:_SCANNED_LINES]:
        match = _LIST_ITEM.match(line)
        if match:
            label = match["label"].rstrip(".,;")
            found.setdefault(label, AskedField(label=label, hint=match["hint"] or ""))
    return list(found.values())[:MAX_FIELDS]


def guess_value(asked: AskedField, name: str, today: date) -> str:
    """Returns a believable made-up value: the first choice that the hint names, or one by the words of the label."""
    choice = _CHOICE.fullmatch(asked.hint)
    if choice is not None:
        return choice["first"]
    for text in (asked.label, asked.hint):
        words = set(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()))
        for keys, value in _VALUES:
            if words & keys:
                return value
        if words & {"date", "day", "when", "deadline", "delivery", "by"}:
            return (today + timedelta(days=14)).isoformat()
        if words & {"name", "contact", "signer", "person", "who"}:
            return name
    return "yes"


def _answer(asked: str, name: str, today: date) -> ReadyMadeReply:
    fields = find_asked_fields(asked)
    filename = "W-9.pdf" if "w-9" in asked.lower() or "w9" in asked.lower() else "document.pdf"
    lines = [f"{asked_field.label}: {guess_value(asked_field, name, today)}" for asked_field in fields]
    opening = "Happy to help. Here is everything, and the document is attached:"
    text = "\n".join([opening, "", *lines]) if lines else "Yes, confirmed. The document is attached."
    file = ReadyMadeFile(filename, "application/pdf", make_pdf(["Sample document of the Offload sandbox", *lines]))
    return ReadyMadeReply(text=_sign(text, name), files=(file,))


def _sign(text: str, name: str) -> str:
    return f"Hello,\n\n{text}\n\nBest regards\n{name}\n"


def make_pdf(lines: list[str]) -> bytes:
    """Returns a one-page PDF with the lines as plain text; what Latin-1 does not have becomes `?`."""
    shown = " ".join(f"({_escape_pdf(line)}) Tj T*" for line in lines)
    content = f"BT /F1 12 Tf 16 TL 72 760 Td {shown} ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    pdf = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(pdf))
    return pdf + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def _escape_pdf(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


_VALUES: list[tuple[set[str], str]] = [
    ({"ein", "tin", "taxpayer", "tax", "ssn"}, "12-3456789"),
    ({"email", "mail"}, "accounts@supplier.example"),
    ({"phone", "telephone", "mobile"}, "+1 555 0100"),
    ({"address", "street"}, "12 Harbor Street, Portland, OR 97201"),
    ({"zip", "postal"}, "97201"),
    ({"city"}, "Portland"),
    ({"country"}, "United States"),
    ({"state"}, "Oregon"),
    ({"classification", "entity"}, "LLC"),
    ({"company", "business", "legal", "organization", "supplier", "vendor"}, "Northwind Supplies LLC"),
    ({"iban"}, "DE89370400440532013000"),
    ({"currency"}, "USD"),
    ({"amount", "price", "total", "cost", "rate", "fee", "quote"}, "1250.00"),
    ({"quantity", "count", "number", "units", "many"}, "12"),
    ({"reference", "invoice", "order", "id"}, "REF-2041"),
    ({"time", "hour"}, "10:00"),
]
