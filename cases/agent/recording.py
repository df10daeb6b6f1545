"""Stands in for a model: writes down what it would be asked, or gives answers from a file; must not call anybody."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Union

from pydantic import Field, TypeAdapter, ValidationError

from cases.agent.answers import Answer
from cases.agent.prompted import ModelCall, ModelReply, UnusableAnswer, Usage
from cases.agent.protocol import AgentTemporary, AgentUnusable

# One answer and two re-asks, as the client for a provider's HTTP API allows.
TRIES = 3
REPLAYED = Usage("replay")


@dataclass(frozen=True)
class Recorder:
    """A ModelClient that hands each question to `write` as plain JSON and answers none."""

    line_id: str
    write: Callable[[dict[str, Any]], None]
    model: str = "recorder"

    def ask(self, call: ModelCall) -> ModelReply:
        """Raise AgentUnusable, once the prompt, the schema of its answer and the messages' aliases are written."""
        self.write(
            {
                "id": self.line_id,
                "operation": call.prompt.operation,
                "prompt_version": call.prompt.version,
                "instructions": call.prompt.instructions,
                "text": call.prompt.text,
                "schema": describe_forms(call.forms),
                "aliases": dict(call.prompt.aliases),
            }
        )
        raise AgentUnusable("The prompt was only written down.")


@dataclass(frozen=True)
class Replayer:
    """A ModelClient that gives the answers of a file, one for each try, through the checks that a model's answer meets.

    `answers` are raw: JSON objects, or the text of one. `is_stubborn` repeats the last one at every re-ask.
    """

    answers: Sequence[Any]
    usage: Usage = REPLAYED
    is_stubborn: bool = False

    @property
    def model(self) -> str:
        return self.usage.model

    def ask(self, call: ModelCall) -> ModelReply:
        """Return the first answer that passes; raise UnusableAnswer when none does, AgentTemporary without any."""
        if not self.answers:
            raise AgentTemporary("There is no answer to this thread.")
        tries = list(self.answers)
        if self.is_stubborn:
            tries += [tries[-1]] * TRIES
        for raw in tries[:TRIES]:
            answer = read_answer(raw, call.forms)
            if answer is not None and not call.check(answer):
                return ModelReply(answer, self.usage)
        raise UnusableAnswer("None of the answers in the file may be used.", self.usage)


def describe_forms(forms: Sequence[type[Answer]]) -> dict[str, Any]:
    """Return the JSON Schema of an answer: an object of exactly one of the forms, told apart by `kind`."""
    return _adapt(forms).json_schema()


def read_answer(raw: Any, forms: Sequence[type[Answer]]) -> Answer | None:
    """Return the answer in its form, None when it has none of them. `raw` is a JSON object, or the text of one."""
    try:
        given = json.loads(raw) if isinstance(raw, str) else raw
        # From JSON, as a provider's answer is read: a list is a tuple there and a moment is a text.
        answer: Answer = _adapt(forms).validate_json(json.dumps(given))
    except (ValidationError, ValueError, RecursionError):
        return None
    return answer


def read_usage(entry: Mapping[str, Any]) -> Usage:
    """Return what a line of the file says about its cost: `model`, `tokens_in`, `tokens_out`, `cost_usd`; all optional.

    Raises ValueError or TypeError for anything but whole tokens and a price.
    """
    cost = entry.get("cost_usd")
    return Usage(
        model=str(entry.get("model") or "replay"),
        tokens_in=int(entry.get("tokens_in") or 0),
        tokens_out=int(entry.get("tokens_out") or 0),
        cost_usd=None if cost is None else Decimal(str(float(cost))),
    )


def _adapt(forms: Sequence[type[Answer]]) -> TypeAdapter[Any]:
    # The forms of a call are known only when it is made.
    union: Any = Union[tuple(forms)]  # noqa: UP007
    return TypeAdapter(Annotated[union, Field(discriminator="kind")])
