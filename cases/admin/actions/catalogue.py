"""The actions on a case: who may take them, when they are offered, and what the page says before; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.urls import reverse

from cases.admin.actions.forms import ActionForm, ReasonForm, ResultForm
from cases.interventions import look_at
from cases.models import Case
from cases.permits import (
    Standing,
    refuse_end,
    refuse_follow_up,
    refuse_pause,
    refuse_reevaluation,
    refuse_resume,
)


class HasPermissions(Protocol):
    """A user, signed in or not."""

    def has_perm(self, perm: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class PageAction:
    """A button of the case's page; it leads to a page that asks first."""

    name: str
    label: str
    url: str
    is_dangerous: bool
    explanation: str


@dataclass(frozen=True, slots=True)
class Action:
    """One action. `will` and `will_not` are sentences with {who} for the counterparty; `done` is the message after.

    is_dangerous: it cannot be taken back.
    """

    name: str
    label: str
    permission: str
    question: str
    button: str
    will: tuple[str, ...]
    will_not: tuple[str, ...]
    done: str
    refuse: Callable[[Standing], str]
    is_dangerous: bool = False
    form: type[ActionForm] = ActionForm


_ENDS = "The case has ended for good: nothing can reopen it."
_NO_MORE_MAIL = "Nothing more is sent to {who}. A mail that is leaving at this very moment may still arrive."
_OPEN_QUESTION = "An open question is closed without an answer."

PAUSE = Action(
    name="pause",
    label="Pause",
    permission="cases.pause_case",
    question="Pause this case?",
    button="Pause the case",
    will=(
        "Mail from {who} is still received and kept, and stands on this page.",
        "Nothing is evaluated or sent until somebody resumes the case. A follow-up that falls due waits.",
    ),
    will_not=(
        "The client is not told, and sees the same status as before.",
        "A mail that is leaving at this very moment is not held back.",
        "A bounce, a cancellation or closing by hand ends the case all the same.",
    ),
    done="The case is paused. Mail is kept; nothing is evaluated or sent until somebody resumes it.",
    refuse=refuse_pause,
)
RESUME = Action(
    name="resume",
    label="Resume",
    permission="cases.pause_case",
    question="Resume this case?",
    button="Resume the case",
    will=(
        "Mail that came during the pause is evaluated at once.",
        "A follow-up that fell due meanwhile is sent, unless {who} has written.",
        "A message that was ready when the case was paused is sent, unless {who} has written since.",
    ),
    will_not=("The client is not told.",),
    done="The case goes on.",
    refuse=refuse_resume,
)
FOLLOW_UP = Action(
    name="follow-up",
    label="Send the follow-up now",
    permission="cases.send_follow_up",
    question="Send the next follow-up now?",
    button="Send the follow-up",
    will=(
        "The agent writes a reminder and sends it to {who}, as it would have done when it was due.",
        "It uses one of the case's follow-ups, and the next one is due after the usual time from now.",
        "If {who} has written meanwhile, the reply is evaluated instead and no reminder is sent.",
    ),
    will_not=("You do not write the mail: the agent does, within the case's constraints.",),
    done="The follow-up is on its way: a worker writes and sends it.",
    refuse=refuse_follow_up,
)
REEVALUATE = Action(
    name="reevaluate",
    label="Re-evaluate the last reply",
    permission="cases.reevaluate_case",
    question="Have the last reply evaluated again?",
    button="Evaluate it again",
    will=(
        "The agent reads the whole conversation again, with every answer and note of knowledge the case has.",
        "What it decides is done: it may complete or fail the case, ask a question, wait, or answer {who} by mail.",
    ),
    will_not=("What was sent and decided before is not taken back.",),
    done="The last reply is evaluated again: a worker takes it up now.",
    refuse=refuse_reevaluation,
)
COMPLETE = Action(
    name="complete",
    label="Close with a result",
    permission="cases.close_case",
    question="Complete this case by hand?",
    button="Complete the case",
    will=(
        "The case ends as completed with the result below, which is checked against what the client asked for.",
        "The client receives case.completed.",
        _OPEN_QUESTION,
    ),
    will_not=(_NO_MORE_MAIL, _ENDS),
    done="The case is completed, and its client is told.",
    refuse=refuse_end,
    is_dangerous=True,
    form=ResultForm,
)
FAIL = Action(
    name="fail",
    label="Close as failed",
    permission="cases.close_case",
    question="End this case without the result?",
    button="End the case as failed",
    will=(
        "The case ends as failed, with the reason that you give (its result status is failed_rejected).",
        "The client receives case.failed and may read the reason.",
        _OPEN_QUESTION,
    ),
    will_not=(_NO_MORE_MAIL, _ENDS),
    done="The case has ended as failed, and its client is told.",
    refuse=refuse_end,
    is_dangerous=True,
    form=ReasonForm,
)
CANCEL = Action(
    name="cancel",
    label="Cancel",
    permission="cases.cancel_case",
    question="Cancel this case?",
    button="Cancel the case",
    will=(
        "The case ends as failed, with the result status cancelled.",
        "The client receives case.failed.",
        _OPEN_QUESTION,
    ),
    will_not=(_NO_MORE_MAIL, _ENDS),
    done="The case is cancelled, and its client is told.",
    refuse=refuse_end,
    is_dangerous=True,
)
ACTIONS = (PAUSE, RESUME, FOLLOW_UP, REEVALUATE, COMPLETE, FAIL, CANCEL)


def list_actions(user: HasPermissions, case: Case) -> list[PageAction]:
    """Returns what `user` may do to the case as it stands, in the order of the page; nothing is offered in vain."""
    allowed = [action for action in ACTIONS if user.has_perm(action.permission)]
    if not allowed:
        return []
    standing = look_at(case)
    return [
        PageAction(
            name=action.name,
            label=action.label,
            url=reverse("admin:cases_case_action", args=[case.pk, action.name]),
            is_dangerous=action.is_dangerous,
            explanation=action.will[0].format(who=case.counterparty_name),
        )
        for action in allowed
        if not action.refuse(standing)
    ]
