"""The five outcomes of an evaluation, as values that survive a trip through the database; must not act on them."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

SNOOZE_LIMIT = timedelta(days=60)
MAX_RESULT_NODES = 5_000
MAX_RESULT_DEPTH = 32


def _refuse_unstorable(text: str) -> str:
    """Return the text; raise ValueError for what PostgreSQL's jsonb cannot hold (NUL, half a surrogate pair)."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("contains a NUL or a lone surrogate")
    return text


def check_result(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result; raise ValueError unless it is plain JSON of a sane size that the database can hold."""
    waiting: list[tuple[Any, int]] = [(result, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MAX_RESULT_NODES or depth > MAX_RESULT_DEPTH:
            raise ValueError(f"is larger than {MAX_RESULT_NODES} values or deeper than {MAX_RESULT_DEPTH}")
        if isinstance(value, dict):
            for key, member in value.items():
                if not isinstance(key, str):
                    raise ValueError("has a key that is not a string")
                _refuse_unstorable(key)
                waiting.append((member, depth + 1))
        elif isinstance(value, list):
            waiting.extend((member, depth + 1) for member in value)
        elif isinstance(value, str):
            _refuse_unstorable(value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError("contains a number that JSON has no word for")
        elif value is not None and not isinstance(value, bool | int):
            raise ValueError(f"contains a {type(value).__name__}, which is not JSON")
    return result


Sentence = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_refuse_unstorable)]
Rationale = Annotated[str, Field(max_length=4_000), AfterValidator(_refuse_unstorable)]
Body = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_refuse_unstorable)]
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]
Result = Annotated[dict[str, Any], AfterValidator(check_result)]


class _Frozen(BaseModel):
    # hide_input_in_errors: a fault may be logged, and the input is somebody's mail.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Evidence(_Frozen):
    """Where one value of a result comes from: a message's id, or `human:<n>` for the n-th human answer (from 1)."""

    field: Annotated[str, Field(max_length=200), AfterValidator(_refuse_unstorable)]
    message_id: Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_refuse_unstorable)]
    quote: Annotated[str, Field(max_length=2_000), AfterValidator(_refuse_unstorable)]


class GoalAchieved(_Frozen):
    """The objective is met; `result` is what the client gets."""

    kind: Literal["GOAL_ACHIEVED"]
    result: Result
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=500)] = ()
    rationale: Rationale = ""
    confidence: Confidence = 1.0


class FailedRejected(_Frozen):
    """The counterparty said no, or a human gave the case up; `reason` is shown to the client.

    asks_not_to_be_written_to: they want no more mail at all, not only no part in this.
    """

    kind: Literal["FAILED_REJECTED"]
    reason: Sentence
    asks_not_to_be_written_to: bool = False
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=500)] = ()
    rationale: Rationale = ""
    confidence: Confidence = 1.0


class InputNeeded(_Frozen):
    """A human has to answer `question` before the case can go on."""

    kind: Literal["INPUT_NEEDED"]
    question: Annotated[str, Field(min_length=1, max_length=4_000), AfterValidator(_refuse_unstorable)]
    rationale: Rationale = ""
    confidence: Confidence = 1.0


class RequiresReply(_Frozen):
    """The thread needs `body` as its next message; subject and recipient follow from the thread."""

    kind: Literal["REQUIRES_REPLY"]
    body: Body
    rationale: Rationale = ""
    confidence: Confidence = 1.0


class Snooze(_Frozen):
    """Nothing to do before `until`; whether that lies ahead is for `check_snooze`, which knows the time."""

    kind: Literal["SNOOZE"]
    until: AwareDatetime
    reason: Sentence
    rationale: Rationale = ""
    confidence: Confidence = 1.0


Decision = Annotated[GoalAchieved | FailedRejected | InputNeeded | RequiresReply | Snooze, Field(discriminator="kind")]
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


def parse_decision(stored: dict[str, Any]) -> Decision:
    """Return the decision that `decision.model_dump(mode="json")` wrote; pydantic's ValidationError for any other."""
    return _DECISION.validate_python(stored)


def check_snooze(until: datetime, now: datetime) -> str:
    """Return what is wrong with waiting until then, or "" when it lies ahead and within 60 days."""
    if until <= now:
        return "the moment to look again does not lie ahead"
    if until - now > SNOOZE_LIMIT:
        return f"the moment to look again is more than {SNOOZE_LIMIT.days} days away"
    return ""
