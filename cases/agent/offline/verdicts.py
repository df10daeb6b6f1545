"""The outcomes that the rules hand out, and the ways to one that several rules share; must not read the thread."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, Snooze, check_snooze
from cases.agent.guard import remove_invisible
from cases.agent.offline.assessing import Facts
from cases.agent.offline.dates import at_morning
from cases.agent.offline.hints import hint
from cases.agent.offline.letters import ask_for_missing, write_mail
from cases.agent.offline.reading import shorten
from cases.agent.offline.waiting import Wait, wait_without_date


@dataclass(frozen=True, slots=True)
class ProposedReply:
    """A mail still to be checked. `minimal` says less and may go where the full text may not; "" for none."""

    body: str
    minimal: str
    rationale: str


Verdict = GoalAchieved | FailedRejected | InputNeeded | Snooze | ProposedReply


def ask_human(question: str, choices: str, rationale: str) -> InputNeeded:
    """Return the question to our human as one clean paragraph of at most 1,500 characters.

    `choices` says what can be written in answer; a long question is cut before it.
    """
    ending = " ".join(remove_invisible(choices).split())
    text = f"{shorten(' '.join(remove_invisible(question).split()), 1_499 - len(ending))} {ending}"
    return InputNeeded(kind="INPUT_NEEDED", question=text, rationale=shorten(rationale, 500), confidence=0.5)


def nudge(facts: Facts) -> ProposedReply:
    """Return a short reminder in the thread, for when a wait is over and nothing new has come."""
    opening = f"May I come back to {facts.ask.matter}?"
    missing = [field for field in facts.missing if field.name not in facts.unusable]
    rest = ask_for_missing(missing, {}, facts.noted) if facts.noted and missing else facts.ask.again
    return ProposedReply(
        body=write_mail(facts.view, [f"{opening} {rest}"]),
        minimal=write_mail(facts.view, [facts.ask.request]),
        rationale="The wait is over and nothing has come in since: a short reminder.",
    )


def accept(facts: Facts, rationale: str) -> GoalAchieved:
    """Return the completed case with all that was gathered."""
    return GoalAchieved(
        kind="GOAL_ACHIEVED",
        result=facts.gathered.result,
        evidence=facts.gathered.evidence,
        rationale=rationale,
        confidence=0.9,
    )


def answer_them(facts: Facts, answer: str, rationale: str) -> ProposedReply:
    """Return a mail with the answer first and then what we still need."""
    rest = facts.ask.request
    if facts.noted and facts.missing:
        rest = ask_for_missing(facts.missing, {}, facts.noted)
    return ProposedReply(body=write_mail(facts.view, [answer, rest]), minimal="", rationale=rationale)


def name_them(facts: Facts) -> str:
    """Return the counterparty's name for a question to our human."""
    return " ".join(remove_invisible(facts.view.counterparty_name).split())[:100] or "The counterparty"


def snooze(until: datetime, reason: str) -> Snooze:
    """Return the wait until then, in UTC."""
    return Snooze(
        kind="SNOOZE", until=until.astimezone(UTC), reason=shorten(remove_invisible(reason), 500), confidence=0.8
    )


def judge_wait(facts: Facts, wait: Wait, sent_at: datetime, *, by_human: bool = False) -> Verdict:
    """Return the snooze that a wish for time amounts to; a human decides on past, far and unclear dates."""
    view = facts.view
    quote = shorten(" ".join(wait.quote.split()).rstrip(" ."), 300)
    speaker = "Your answer" if by_human else name_them(facts)
    if wait.is_unclear:
        return ask_human(
            f'{speaker} names a date that can be read two ways: "{quote}". When should I look again?',
            hint(facts, is_day=True),
            "Day and month cannot be told apart.",
        )
    until = wait.until or wait_without_date(sent_at)
    if until <= view.now:
        if view.reason == "recheck":
            return nudge(facts)
        today = view.now.astimezone(facts.zone).date()
        if wait.until is not None and until.astimezone(facts.zone).date() < today:
            return ask_human(
                f'{speaker} says: "{quote}", and that day is past. How should I go on?',
                hint(facts, is_day=True),
                "The named day does not lie ahead.",
            )
        until = at_morning(today + timedelta(days=1), facts.zone)
    if check_snooze(until, view.now):
        return ask_human(
            f'{speaker} asks to wait until {until:%d %B %Y}: "{quote}". '
            "That is longer than the 60 days I may wait by myself. How should I go on?",
            hint(facts, is_day=True),
            "The named day is more than 60 days ahead.",
        )
    why = "A human told me to wait" if by_human else "They are away" if wait.is_absence else "They asked for time"
    return snooze(until, f'{why}: "{quote}"')
