"""What a person wrote, as the value a schema wants; anything that can be read two ways is no value."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cases.agent.offline.coercion import NoValue, coerce
from cases.agent.wanted import WantedField

TODAY = date(2026, 11, 24)
BERLIN = ZoneInfo("Europe/Berlin")
KINDS: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "any": {},
    "date": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "choice": {"choices": ("sole_proprietor", "LLC", 3)},
    "texts": {"type": "array", "item_type": "string"},
    "numbers": {"type": "array", "item_type": "integer"},
    "object": {"type": "object"},
}


def read(written: str, kind: str) -> Any:
    return coerce(written, WantedField("field", **KINDS[kind]), TODAY, BERLIN)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("integer", "12", 12),
        ("integer", "1,250", 1250),
        ("integer", "1.250", 1250),
        ("integer", "1 250", 1250),
        ("integer", "1.250.000", 1_250_000),
        ("integer", "12 chairs", 12),
        ("integer", "-5", -5),
        ("integer", "12.0", 12),
        ("integer", "EUR 1,200", 1200),
        ("number", "1,250", 1250),
        ("number", "2,450 EUR", 2450),
        ("number", "2.450,50 €", 2450.5),
        ("number", "$1,250.75", 1250.75),
        ("number", "1,5", 1.5),
        ("number", "0.125", 0.125),
        ("boolean", "yes", True),
        ("boolean", "Yes, signed.", True),
        ("boolean", "ja", True),
        ("boolean", "oui", True),
        ("boolean", "sí", True),
        ("boolean", "No", False),
        ("boolean", "nein", False),
        ("string", "Northstar LLC", "Northstar LLC"),
        ("string", "**Northstar Inc.**", "Northstar Inc."),
        ("string", "Northstar Supplies.", "Northstar Supplies"),
        ("string", "“Northstar”", "Northstar"),
        ("string", "12-3456789, signed form attached", "12-3456789"),
        ("any", "Northstar", "Northstar"),
        ("date", "2027-03-03", "2027-03-03"),
        ("date", "3 March 2027", "2027-03-03"),
        ("date", "Wednesday, 3 March 2027", "2027-03-03"),
        ("date", "on the 3.3.2027", "2027-03-03"),
        ("date", "next Tuesday", "2026-12-01"),
        ("moment", "2027-03-03T10:00:00Z", "2027-03-03T10:00:00+00:00"),
        ("moment", "3 March 2027 14:00", "2027-03-03T14:00:00+01:00"),
        ("moment", "3 March 2027 at 2:30 pm", "2027-03-03T14:30:00+01:00"),
        ("email", "maya@northstar.example (work)", "maya@northstar.example"),
        ("choice", "llc", "LLC"),
        ("choice", "Sole proprietor", "sole_proprietor"),
        ("choice", "3", 3),
        ("texts", "red, green, blue", ["red", "green", "blue"]),
        ("texts", "red", ["red"]),
        ("numbers", "1; 2", [1, 2]),
    ],
)
def test_a_plain_value_is_read(kind: str, written: str, value: Any) -> None:
    found = read(written, kind)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("integer", "12 or 13"),
        ("integer", "about 12"),
        ("integer", "12-15"),
        ("integer", "12k"),
        ("integer", "5 to 10"),
        ("integer", "12.5"),
        ("integer", "twelve"),
        ("integer", "9" * 30),
        ("number", "1.250"),
        ("number", "1,25,0"),
        ("boolean", "yes but not now"),
        ("boolean", "maybe"),
        ("boolean", "No problem"),
        ("boolean", "I don't know"),
        ("boolean", "yes, if you pay"),
        ("string", ""),
        ("string", "…"),
        ("string", "-"),
        ("string", "TBD"),
        ("string", "n/a"),
        ("string", "to be confirmed"),
        ("string", "see attached"),
        ("string", "siehe Anhang"),
        ("string", "will send tomorrow"),
        ("string", "same as last year"),
        ("string", "confidential"),
        ("string", "we moved recently"),
        ("string", "Northstar LLC?"),
        ("string", "12-3456789 but it changes soon"),
        ("string", "I think Northstar"),
        ("string", "Northstar (to be confirmed)"),
        ("string", "x" * 501),
        ("date", "04/05/2027"),
        ("date", "3 or 4 March"),
        ("date", "not 3 March"),
        ("date", "Tuesday, 3 March 2027"),
        ("date", "end of March"),
        ("date", "in two weeks"),
        ("date", "3 March at the latest"),
        ("date", "today"),
        ("moment", "3 March"),
        ("email", "a@b.example or c@d.example"),
        ("choice", "S corp"),
        ("numbers", "1, two"),
        ("object", "12 Main St"),
    ],
)
def test_a_value_in_doubt_is_none(kind: str, written: str) -> None:
    with pytest.raises(NoValue):
        read(written, kind)
