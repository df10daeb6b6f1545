"""PURE: turns a seed into a run: which cases, which blows and faults, and when; must not touch a process or a clock."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

# About what a kill takes until the next: a worker is back at work three seconds after it was killed.
SECONDS_PER_KILL = 3.0
# How long a process works between two strikes.
GAP_SECONDS = (0.1, 2.0)
HASTY_SHARE = 0.15
SHORTEST_SECONDS = 20.0
# The share of the run in which cases are opened; the rest is for those that take several steps.
OPENING_SHARE = 0.7
SEND_FAULTS_PER_CASE = 0.4
READ_FAULTS_PER_CASE = 0.3
WEBHOOK_FAULTS_PER_CASE = 0.4

Fault = dict[str, Any]
T = TypeVar("T")


class Shape(StrEnum):
    """What a case goes through; tests/chaos/stories.py plays them."""

    COMPLETE = "complete"
    REFUSE = "refuse"
    ASK = "ask"
    ASK_FIRST = "ask first"
    ANSWERED_BY_AGENT = "answered by the agent"
    SNOOZE = "snooze"
    ABSENT = "absent"
    AUTO_REPLY = "auto-reply"
    SILENT = "silent"
    SILENT_AT_ONCE = "silent at once"
    BOUNCE = "bounce"
    BOUNCE_EARLY = "bounce early"
    COMPLAIN = "complain"
    REJECT = "reject"
    BLOCKED = "blocked"
    CANCEL = "cancel"
    CANCEL_EARLY = "cancel early"
    REPLY_EARLY = "reply early"
    TWO_REPLIES = "two replies"
    RACE = "race"


class Blow(StrEnum):
    """What is done to a process."""

    KILL_WORKER = "kill worker"
    KILL_WEB = "kill web"
    KILL_BEAT = "kill beat"
    RESTART_DATABASE = "restart database"
    WIPE_QUEUE = "wipe queue"
    STOP_QUEUE = "stop queue"


# A worker holds leases and half-made calls, so it is killed most.
KILLS = (Blow.KILL_WORKER, Blow.KILL_WORKER, Blow.KILL_WEB, Blow.KILL_WORKER, Blow.KILL_BEAT)

# Those that end a case belong to a story (BLOCKED); every one here passes.
SEND_FAULTS: tuple[Fault, ...] = (
    {"fault": "accept_then_drop"},
    {"fault": "accept_then_500"},
    {"fault": "accept_then_hang", "seconds": 4},
    {"fault": "slow", "seconds": 2},
    {"fault": "no_ids"},
    {"fault": "drop"},
    {"fault": "timeout", "seconds": 3},
    {"fault": "429", "retry_after": 1},
    {"fault": "408"},
    {"fault": "500"},
    {"fault": "503"},
    {"fault": "401"},
    {"fault": "403_forbidden"},
    {"fault": "403_gateway"},
    {"fault": "403_suspended"},
    {"fault": "409_in_flight"},
)
# Longer than the mail client waits for an answer (30 s): for the long run only.
LONG_FAULT: Fault = {"fault": "accept_then_hang", "seconds": 35}
READ_FAULTS: tuple[Fault, ...] = (
    {"fault": "drop"},
    {"fault": "timeout", "seconds": 3},
    {"fault": "slow", "seconds": 2},
    {"fault": "429", "retry_after": 1},
    {"fault": "500"},
    {"fault": "503"},
    {"fault": "401"},
    {"fault": "403_forbidden"},
)
WEBHOOK_FAULTS: tuple[Fault, ...] = (
    {"fault": "duplicate"},
    {"fault": "reorder", "seconds": 4},
    {"fault": "delay", "seconds": 3},
    # A reply that is never reported: only the reconcile pass finds it. Nothing finds a bounce that is never reported.
    {"fault": "drop", "event_type": "message.received"},
)


@dataclass(frozen=True, slots=True)
class Options:
    """How much of everything; the seed decides the rest."""

    cases: int
    kills: int
    database_restarts: int
    queue_wipes: int
    seed: int
    is_long: bool


@dataclass(frozen=True, slots=True)
class PlannedCase:
    number: int
    shape: Shape
    opens_at_s: float


@dataclass(frozen=True, slots=True)
class Strike:
    """What is struck `after_s` seconds after it was last seen at work, or, if hasty, while it may still be starting.

    `seconds` is how long a queue stays stopped.
    """

    after_s: float
    blow: Blow
    is_hasty: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault that the provider's next call of the channel meets."""

    at_s: float
    channel: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run; times count in seconds from its beginning, but for those of the strikes, which follow each other."""

    seed: int
    lasts_s: float
    cases: tuple[PlannedCase, ...]
    strikes: tuple[Strike, ...]
    faults: tuple[FaultOrder, ...]


def make_plan(options: Options) -> Plan:
    """Returns the run that the options and their seed stand for: the same for the same options."""
    lasts_s = max(SHORTEST_SECONDS, options.kills * SECONDS_PER_KILL)
    # One generator each, so that more kills do not change which cases there are.
    return Plan(
        seed=options.seed,
        lasts_s=lasts_s,
        cases=_plan_cases(options, lasts_s, random.Random(f"cases {options.seed}")),
        strikes=_plan_strikes(options, random.Random(f"strikes {options.seed}")),
        faults=_plan_faults(options, lasts_s, random.Random(f"faults {options.seed}")),
    )


def _plan_cases(options: Options, lasts_s: float, chance: random.Random) -> tuple[PlannedCase, ...]:
    shapes = list(Shape)
    if not options.is_long:
        # A mail of unknown fate is looked for during a minute before a cancelled case is at rest.
        shapes.remove(Shape.CANCEL_EARLY)
    dealt = _deal(shapes, options.cases, chance)
    moments = sorted(chance.uniform(0, lasts_s * OPENING_SHARE) for _ in dealt)
    return tuple(
        PlannedCase(number, shape, at_s) for number, (shape, at_s) in enumerate(zip(dealt, moments, strict=True))
    )


def _plan_strikes(options: Options, chance: random.Random) -> tuple[Strike, ...]:
    kills = [KILLS[number % len(KILLS)] for number in range(options.kills)]
    # A stopped queue beside every second wiped one.
    stops = [Blow.STOP_QUEUE] * ((options.queue_wipes + 1) // 2)
    blows = [
        *kills,
        *[Blow.RESTART_DATABASE] * options.database_restarts,
        *[Blow.WIPE_QUEUE] * options.queue_wipes,
        *stops,
    ]
    chance.shuffle(blows)
    return tuple(
        Strike(
            after_s=round(chance.uniform(*GAP_SECONDS), 2),
            blow=blow,
            is_hasty=chance.random() < HASTY_SHARE,
            seconds=round(chance.uniform(2, 6), 1) if blow is Blow.STOP_QUEUE else 0.0,
        )
        for blow in blows
    )


def _plan_faults(options: Options, lasts_s: float, chance: random.Random) -> tuple[FaultOrder, ...]:
    amounts: tuple[tuple[str, list[Fault], float], ...] = (
        ("send", [*SEND_FAULTS, *([LONG_FAULT] if options.is_long else [])], SEND_FAULTS_PER_CASE),
        ("read", list(READ_FAULTS), READ_FAULTS_PER_CASE),
        ("webhook", list(WEBHOOK_FAULTS), WEBHOOK_FAULTS_PER_CASE),
    )
    orders = [
        FaultOrder(chance.uniform(0, lasts_s * OPENING_SHARE), channel, fault)
        for channel, kinds, per_case in amounts
        # Each kind at least once, however few the cases.
        for fault in _deal(kinds, max(len(kinds), round(options.cases * per_case)), chance)
    ]
    return tuple(sorted(orders, key=lambda order: order.at_s))


def _deal(kinds: list[T], count: int, chance: random.Random) -> list[T]:
    """Returns `count` of the kinds in a shuffled order, each as often as any other, give or take one."""
    dealt: list[T] = []
    while len(dealt) < count:
        dealt += chance.sample(kinds, len(kinds))
    dealt = dealt[:count]
    chance.shuffle(dealt)
    return dealt
