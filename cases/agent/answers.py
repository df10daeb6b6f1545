"""The forms in which a model must answer; must not judge what an answer says."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cases.agent.decisions import (
    Body,
    FailedRejected,
    GoalAchieved,
    InputNeeded,
    Rationale,
    RequiresReply,
    Sentence,
    Snooze,
)
from cases.agent.protocol import Draft


class DraftedMail(BaseModel):
    """The message is written: subject and plain text."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["DRAFT"]
    # A subject of spaces alone would leave as none.
    subject: Annotated[Sentence, Field(max_length=200, pattern=r"\S")]
    body: Body
    rationale: Rationale = ""

    def to_draft(self) -> Draft:
        """Return the draft as the protocol knows it."""
        return Draft(subject=self.subject.strip(), body=self.body.strip(), rationale=self.rationale)


Answer = DraftedMail | GoalAchieved | FailedRejected | InputNeeded | RequiresReply | Snooze
WRITING: tuple[type[Answer], ...] = (DraftedMail, InputNeeded)
JUDGING: tuple[type[Answer], ...] = (GoalAchieved, FailedRejected, InputNeeded, RequiresReply, Snooze)
