"""What staff type on the page that asks whether an action shall happen; must not read or change a case."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from cases.agent.wanted import list_wanted_fields
from cases.closing import LONGEST_RESULT
from cases.models import Case

LONGEST_REASON = 2_000


class ActionForm(forms.Form):
    """The form of an action that needs nothing typed; `seen_event_id` tells whether the page is out of date."""

    seen_event_id = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)


class ReasonForm(ActionForm):
    reason = forms.CharField(
        label="Why the case ends",
        help_text="The client's program receives these words with case.failed.",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=LONGEST_REASON,
        error_messages={"required": "Write why the case ends."},
    )


class ResultForm(ActionForm):
    result = forms.CharField(
        label="The result, as JSON",
        help_text="The client's program receives exactly this with case.completed.",
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false", "class": "code"}),
        max_length=LONGEST_RESULT,
        error_messages={"required": "Write the result first."},
    )


def make_initial(case: Case, seen_event_id: int) -> dict[str, Any]:
    """Returns what the form of any action begins with: for a result, what the client asked for, without values."""
    wanted = list_wanted_fields(case.result_schema) if isinstance(case.result_schema, dict) else ()
    outline = json.dumps({field.name: None for field in wanted}, indent=2, ensure_ascii=False)
    return {"seen_event_id": seen_event_id, "result": outline if wanted else ""}
