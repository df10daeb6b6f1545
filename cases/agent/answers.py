"""The forms in which a model must answer; must not judge what an answer says."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.protocol import Draft


class DraftedMail(BaseModel):
    """The message is written: subject and plain text."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["DRAFT"]
    subject: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(min_length=1, max_length=20_000)]
    rationale: Annotated[str, Field(max_length=4_000)] = ""

    def to_draft(self) -> Draft:
        """Return the draft as the protocol knows it."""
        return Draft(subject=self.subject.strip(), body=self.body.strip(), rationale=self.rationale)


Answer = DraftedMail | GoalAchieved | FailedRejected | InputNeeded | RequiresReply | Snooze
WRITING: tuple[type[Answer], ...] = (DraftedMail, InputNeeded)
JUDGING: tuple[type[Answer], ...] = (GoalAchieved, FailedRejected, InputNeeded, RequiresReply, Snooze)
