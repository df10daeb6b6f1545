"""Tells a scorecard as text for people and as JSON for programs; must not judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cases.evaluation.corpus import OUTCOMES
from cases.evaluation.playing import UNANSWERED
from cases.evaluation.scoring import Score, Scorecard

BY_CONSTRUCTION = "no recipient changed, by construction: no answer has a member for one"
SHOWN = 20


def write_report(card: Scorecard, *, agent: str, corpus: str) -> str:
    """Returns the report as text of a width that a terminal has."""
    return "\n".join([*_head(card, agent, corpus), "", *_outcomes(card), "", *_confusion(card), "", *_safety(card)])


def _head(card: Scorecard, agent: str, corpus: str) -> Iterator[str]:
    lines = [score.play.line for score in card.scores]
    injections = sum(line.is_injection for line in lines)
    foreign = sum(line.language != "en" for line in lines)
    yield f"Corpus   {corpus}: {len(lines)} threads, {injections} injections, {foreign} not in English"
    yield f"Agent    {agent}"


def _outcomes(card: Scorecard) -> Iterator[str]:
    yield f"{'expected':<18}{'threads':>8}{'exact':>8}{'right':>8}{'accuracy':>10}"
    total_exact = sum(score.is_exact for score in card.scores)
    total_right = sum(score.is_right for score in card.scores)
    rows = [*card.list_outcomes(), ("all", len(card.scores), total_exact, total_right)]
    for outcome, total, exact, right in rows:
        yield f"{outcome:<18}{total:>8}{exact:>8}{right:>8}{right / total:>10.1%}"


def _confusion(card: Scorecard) -> Iterator[str]:
    known = {outcome for row in card.confusion.values() for outcome in row}
    columns = [outcome for outcome in (*OUTCOMES, UNANSWERED) if outcome in known]
    yield "Became (columns) what was expected to be (rows)"
    yield " " * 18 + "".join(f"{column:>17}" for column in columns)
    for expected in OUTCOMES:
        if row := card.confusion.get(expected):
            yield f"{expected:<18}" + "".join(f"{row.get(column, 0):>17}" for column in columns)


def _safety(card: Scorecard) -> Iterator[str]:
    valid = sum(score.is_valid for score in card.asked)
    tokens_in, tokens_out = card.tokens
    cost = "not known" if card.cost_usd is None else f"${card.cost_usd:.4f}"
    yield f"Schema validity            {valid} of {len(card.asked)} answers"
    yield f"Faults sent back           {card.reasks}"
    yield f"Held back by code          {len(card.limited)} answers, {card.guard_hits} hits"
    yield f"Wrong terminal decisions   {len(card.wrong_terminal)}"
    yield from _list_faults(card.wrong_terminal, "wrong_terminal")
    injections = sum(score.play.line.is_injection for score in card.scores)
    yield f"Injection failures         {len(card.injection_failures)} ({injections} injections; {BY_CONSTRUCTION})"
    yield from _list_faults(card.injection_failures, "injection_failures")
    yield f"Leaks                      {len(card.leaks)}"
    yield f"Tokens                     {tokens_in} in, {tokens_out} out"
    yield f"Cost                       {cost}"
    yield f"Latency                    p50 {card.find_latency_ms(0.5):.0f} ms, p95 {card.find_latency_ms(0.95):.0f} ms"
    unanswered = [score for score in card.scores if score.play.outcome == UNANSWERED]
    if unanswered:
        yield f"Not answered               {len(unanswered)}"
        yield from (f"  {score.id}: {score.play.note}" for score in unanswered[:SHOWN])


def _list_faults(scores: Sequence[Score], name: str) -> Iterator[str]:
    for score in scores[:SHOWN]:
        yield f"  {score.id}: {'; '.join(getattr(score, name))}"
    if len(scores) > SHOWN:
        yield f"  and {len(scores) - SHOWN} more"


def build_json(card: Scorecard, *, agent: str, corpus: str) -> dict[str, Any]:
    """Returns the report with every line's outcome, as plain JSON; times in ms, cost in US dollars."""
    tokens_in, tokens_out = card.tokens
    return {
        "corpus": corpus,
        "agent": agent,
        "threads": len(card.scores),
        "accuracy": round(card.accuracy, 4),
        "outcomes": {
            name: {"threads": total, "exact": exact, "right": right}
            for name, total, exact, right in card.list_outcomes()
        },
        "confusion": card.confusion,
        "schema_valid": sum(score.is_valid for score in card.asked),
        "asked": len(card.asked),
        "faults_sent_back": card.reasks,
        "guard_hits": card.guard_hits,
        "wrong_terminal": {score.id: score.wrong_terminal for score in card.wrong_terminal},
        "injections": sum(score.play.line.is_injection for score in card.scores),
        "injection_failures": {score.id: score.injection_failures for score in card.injection_failures},
        "leaks": {score.id: score.leaks for score in card.leaks},
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "cost_usd": None if card.cost_usd is None else float(card.cost_usd),
        "latency_ms": {"p50": round(card.find_latency_ms(0.5), 1), "p95": round(card.find_latency_ms(0.95), 1)},
        "lines": [_describe(score) for score in card.scores],
    }


def _describe(score: Score) -> dict[str, Any]:
    play = score.play
    return {
        "id": score.id,
        "expected": play.line.expected.outcome,
        "outcome": play.outcome,
        "right": score.is_right,
        "decision": play.decision.model_dump(mode="json") if play.decision is not None else None,
        "faults": [*score.wrong_terminal, *score.injection_failures],
        "note": play.note,
    }
