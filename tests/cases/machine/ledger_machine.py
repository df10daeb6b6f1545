"""The ledger under Hypothesis: two cases and several workers in any order of steps, on real SQL and a stopped clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cases.workflow import EventKind
from tests.cases.machine.clock import set_chance, set_clock
from tests.cases.machine.ledger_model import LEASE, MAX_FAILURES, Book, Known, backoff, require

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WORKERS = st.sampled_from(["ada", "ben", "cleo"])
# Mostly one case and its newest claims: what is rare in life is what the promises are about.
CASES = st.sampled_from([0, 0, 0, 1])
KEYS = st.integers(0, 15)
PICKS = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 4])
SECONDS = st.sampled_from([1, 2, 5, 11, 21, 46, 90, 601, 4000])
# How long after the moment at which something ends a step is taken.
OFFSETS = st.sampled_from([-1, 0, 1])
WAITS = st.sampled_from([None, 0, 5, 90, 3600])
EVERYTHING_IS_DUE = timedelta(hours=25)

ROWS = """
    SELECT id, key, case_id, (payload->>'text')::int, status, attempt, failures, waits, lease_until,
           (SELECT count(*) FROM effect WHERE event_id = cases_caseevent.id)
      FROM cases_caseevent
"""

NOTHING_VANISHES = "nothing vanishes"
FIRST_STAYS = "the first of a key stays"
ONE_AT_A_TIME = "one worker per case"
EFFECTS_ONCE = "effects once"
FENCED = "a lost lease stores nothing"
IN_ORDER = "in order"
TAKEN_UP = "what is due is taken up"
NOT_EARLY = "nothing before its time"
ATTEMPT_RISES = "the attempt only rises"
DEAD_AT_LIMIT = "dead at the limit, not before"
NUDGED = "what is due is nudged"
NOT_TOO_OFTEN = "no more nudges than promised"
LEASE_ENDS = "a lease that ran out is over"
HELD = "nothing of a paused case is taken up"


class Row(NamedTuple):
    """One event as the database holds it, with the number of effects that it had."""

    event_id: int
    key: str
    case: UUID
    text: int
    status: str
    attempt: int
    failures: int
    waits: int
    lease_until: datetime | None
    effects: int


class LedgerMachine(RuleBasedStateMachine):
    """Plays recorders, workers, sweeps and a support agent, and compares each answer with the promises.

    One worker's step is one transaction, as in the product. `ledger` is the module under test, `case_ids` are
    two cases that exist.
    """

    ledger: ClassVar[Any]
    case_ids: ClassVar[list[UUID]]

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.claims: list[Any] = []
        self.claimed_at: dict[tuple[int, int], datetime] = {}
        self.now = START
        self.paused: set[UUID] = set()

    def teardown(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM effect; DELETE FROM cases_caseevent; UPDATE cases_case SET paused_at = NULL")

    @initialize(chance=st.sampled_from([0.0, 0.5, 0.999]))
    def begin(self, chance: float) -> None:
        set_clock(self.now)
        set_chance(chance)

    # -- Those who record

    @rule(case=CASES, key=KEYS, text=st.integers(0, 1))
    def record(self, case: int, key: int, text: int) -> None:
        self._record(self.case_ids[case], f"{case}:{key}", text)

    @rule(case=CASES, key=KEYS)
    def record_what_is_done(self, case: int, key: int) -> None:
        self._record(self.case_ids[case], f"{case}:{key}", 2, born_done=True)

    @rule(case=CASES, key=KEYS)
    def record_and_roll_back(self, case: int, key: int) -> None:
        with transaction.atomic():
            self._ask_to_record(self.case_ids[case], f"{case}:{key}", 3, born_done=False)
            transaction.set_rollback(True)

    def _ask_to_record(self, case: UUID, key: str, text: int, *, born_done: bool) -> Any:
        return self.ledger.record(
            case_id=case, kind=EventKind.REPLY_RECEIVED, key=key, payload={"text": text}, born_done=born_done
        )

    def _record(self, case: UUID, key: str, text: int, *, born_done: bool = False) -> None:
        before = self.book.find_key(key)
        recorded = self._ask_to_record(case, key, text, born_done=born_done)
        require(recorded.is_new == (before is None), FIRST_STAYS, key)
        if before is not None:
            require(recorded.event_id == before.event_id, FIRST_STAYS, key)
            return
        event = Known(recorded.event_id, case, key, text, self.now, self.now, self.now)
        event.status = "done" if born_done else "ready"
        self.book.events[event.event_id] = event
        if not born_done:
            self.book.wake_head(case, self.now)

    # -- Workers

    @rule(case=CASES, worker=WORKERS)
    def claim(self, case: int, worker: str) -> None:
        self._claim(self.case_ids[case], worker)

    @rule(case=CASES, offset=OFFSETS, beats=st.integers(0, 2))
    def take_over(self, case: int, offset: int, beats: int) -> None:
        """The one who works on the case hangs after some heartbeats, and has one more when another has come."""
        running = self.book.running(self.case_ids[case])
        if running is None:
            return
        slow = next(one for one in reversed(self.claims) if one.event_id == running.event_id)
        for _ in range(beats):
            self._move_to(self.now + LEASE / 3)
            self._heartbeat(slow, running)
        if running.lease_until is not None:
            self._move_to(running.lease_until + timedelta(seconds=offset))
        self._claim(self.case_ids[case], "next")
        self._heartbeat(slow, running)

    @rule(case=CASES, offset=OFFSETS)
    def claim_about_when_it_is_due(self, case: int, offset: int) -> None:
        head = self.book.head(self.case_ids[case])
        if head is not None:
            self._move_to(head.due_by + timedelta(seconds=offset))
        self._claim(self.case_ids[case], "next")

    @rule(case=CASES, times=st.sampled_from([1, 2, MAX_FAILURES]))
    def claim_when_due_and_fail(self, case: int, times: int) -> None:
        """What an event that always fails does, again and again."""
        for _ in range(times):
            self._move_to(self.now + timedelta(seconds=60))
            self._sweep(500)
            claimed = self._claim(self.case_ids[case], "next")
            if claimed is not None:
                event = self.book.events[claimed.event_id]
                self._fail(claimed, event)
                self._move_to(event.due_by)
                self._sweep(500)

    def _claim(self, case: UUID, worker: str) -> Any:
        held = self.book.running(case)
        if held is not None and held.may_be_late(self.now):
            held.count_failure()
            held = None
        head = self.book.head(case)
        claimed = self.ledger.claim(case, worker)
        if claimed is None:
            is_due = head is not None and held is None and head.due_by <= self.now and case not in self.paused
            require(not is_due, TAKEN_UP, head)
            return None
        require(case not in self.paused, HELD, head)
        require(held is None, ONE_AT_A_TIME, held)
        require(head is not None and claimed.event_id == head.event_id, IN_ORDER, (claimed, head))
        assert head is not None
        require(head.due_from <= self.now, NOT_EARLY, head)
        require(claimed.attempt == head.attempt + 1, ATTEMPT_RISES, (claimed, head))
        require(claimed.payload == {"text": head.text}, FIRST_STAYS, (claimed, head))
        require(claimed.failures == head.failures, DEAD_AT_LIMIT, (claimed, head))
        head.status, head.attempt, head.lease_until = "running", claimed.attempt, self.now + LEASE
        self.claims.append(claimed)
        self.claimed_at[claimed.event_id, claimed.attempt] = self.now
        return claimed

    def _pick(self, pick: int) -> tuple[Any, Known]:
        """One of the claims, those that hold first, then the newest that were lost or ended."""
        newest = [(claimed, self.book.events[claimed.event_id]) for claimed in reversed(self.claims)]
        newest.sort(key=lambda pair: not self._holds(*pair))
        return newest[pick % len(newest)]

    def _holds(self, claimed: Any, event: Known) -> bool:
        return event.status == "running" and event.attempt == claimed.attempt

    def _attempt_change(self, claimed: Any, event: Known, change: Any) -> bool:
        """Makes a fenced change and returns whether it was let through, which only the holder's may be."""
        holds = self._holds(claimed, event)
        try:
            change()
        except self.ledger.LeaseLost:
            require(not holds, FENCED, f"refused to its holder: {event}")
            return False
        require(holds, FENCED, f"let through: {claimed}, {event}")
        return True

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, offset=st.one_of(OFFSETS, st.none()))
    def heartbeat(self, pick: int, offset: int | None) -> None:
        """At any time, or about when the lease ends."""
        claimed, event = self._pick(pick)
        if offset is not None and event.lease_until is not None:
            self._move_to(event.lease_until + timedelta(seconds=offset))
        self._heartbeat(claimed, event)

    def _heartbeat(self, claimed: Any, event: Known) -> None:
        is_alive = self._holds(claimed, event) and event.lease_until is not None and event.lease_until > self.now
        require(self.ledger.heartbeat(claimed) == is_alive, LEASE_ENDS, event)
        if is_alive:
            event.lease_until = self.now + LEASE

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def fence(self, pick: int) -> None:
        claimed, event = self._pick(pick)
        if self._attempt_change(claimed, event, lambda: self.ledger.fence(claimed)):
            event.lease_until = self.now + LEASE

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def finish(self, pick: int) -> None:
        """Also the late and the second finish: `pick` reaches claims that were lost or ended."""
        self._finish(*self._pick(pick))

    def _finish(self, claimed: Any, event: Known) -> None:
        def act() -> None:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO effect (event_id) VALUES (%s)", [claimed.event_id])
                self.ledger.finish(claimed, "done")

        if self._attempt_change(claimed, event, act):
            event.status, event.lease_until, event.effects = "done", None, event.effects + 1

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS)
    def fail(self, pick: int) -> None:
        self._fail(*self._pick(pick))

    def _fail(self, claimed: Any, event: Known) -> None:
        died: list[bool] = []
        if self._attempt_change(claimed, event, lambda: died.append(self.ledger.fail(claimed, "no"))):
            wait = backoff(self.now, event.failures)
            event.give_back(*wait)
            event.count_failure()
            require(died == [event.status == "dead"], DEAD_AT_LIMIT, (died, event))
            self._claim(event.case, "early")

    @precondition(lambda self: self.claims)
    @rule(pick=PICKS, seconds=WAITS, key=KEYS, is_joined=st.booleans())
    def postpone(self, pick: int, seconds: float | None, key: int, is_joined: bool) -> None:
        """`is_joined`: something is recorded behind it while the worker is at it."""
        claimed, event = self._pick(pick)
        if is_joined:
            self._record(event.case, f"{self.case_ids.index(event.case)}:{key}", 0)
        if self._put_off(claimed, event, seconds):
            # A nudge that comes too early finds nothing.
            self._move_to(event.due_from - timedelta(seconds=1))
            self._claim(event.case, "early")

    def _put_off(self, claimed: Any, event: Known, seconds: float | None) -> bool:
        if not self._attempt_change(claimed, event, lambda: self.ledger.postpone(claimed, "busy", seconds)):
            return False
        wait = backoff(self.now, event.waits)
        if self.book.has_newer_since(event, self.claimed_at[claimed.event_id, claimed.attempt]):
            wait = (self.now + timedelta(seconds=1),) * 2
        elif seconds is not None:
            wait = (self.now + timedelta(seconds=max(1, seconds)),) * 2
        event.give_back(*wait)
        event.waits += 1
        return True

    # -- Time, sweeps and support

    @rule(case=CASES)
    def pause(self, case: int) -> None:
        """Also while a worker has it: its claim goes on to hold."""
        self._set_paused(self.case_ids[case], is_paused=True)

    @rule(case=CASES)
    def resume(self, case: int) -> None:
        self._resume(self.case_ids[case])

    @rule(case=CASES)
    def pause_what_is_due_and_resume(self, case: int) -> None:
        """Sweeps and nudges come to nothing meanwhile, and the resume is nudged for at once."""
        chosen = self.case_ids[case]
        self._set_paused(chosen, is_paused=True)
        self._move_to(self.now + EVERYTHING_IS_DUE)
        self._sweep(500)
        self._claim(chosen, "early")
        self._resume(chosen)
        self._claim(chosen, "next")

    @rule(case=CASES)
    def resume_what_waits_for_its_time(self, case: int) -> None:
        chosen = self.case_ids[case]
        claimed = self._claim(chosen, "next")
        if claimed is not None and self._put_off(claimed, self.book.events[claimed.event_id], 3600):
            self._set_paused(chosen, is_paused=True)
            self._resume(chosen)
            self._claim(chosen, "next")

    def _resume(self, case: UUID) -> None:
        if case in self.paused:
            self._set_paused(case, is_paused=False)
            self.ledger.wake(case)
            self.book.wake_head(case, self.now)

    def _set_paused(self, case: UUID, *, is_paused: bool) -> None:
        paused_at = self.now if is_paused else None
        with connection.cursor() as cursor:
            cursor.execute("UPDATE cases_case SET paused_at = %s WHERE id = %s", [paused_at, case])
        (self.paused.add if is_paused else self.paused.discard)(case)

    @rule(seconds=SECONDS)
    def advance(self, seconds: int) -> None:
        """Workers that do nothing meanwhile have crashed, or hang and come back late."""
        self._move_to(self.now + timedelta(seconds=seconds))

    def _move_to(self, moment: datetime) -> None:
        """Time never goes back."""
        self.now = max(self.now, moment)
        set_clock(self.now)

    @rule(limit=st.sampled_from([1, 2, 500]))
    def sweep(self, limit: int) -> None:
        self._sweep(limit)

    @rule(case=CASES, offset=OFFSETS)
    def sweep_about_when_a_nudge_is_due(self, case: int, offset: int) -> None:
        head = self.book.head(self.case_ids[case])
        if head is not None and head.nudged_at is not None:
            self._move_to(head.nudged_at + head.get_gap() + timedelta(seconds=offset))
        self._sweep(500)

    def _sweep(self, limit: int) -> list[UUID]:
        heads = [head for case in self.case_ids if (head := self.book.head(case)) is not None]
        expected = {head.case: head.case not in self.paused and head.is_nudge_due(self.now) for head in heads}
        found: list[UUID] = []
        while True:
            part = self.ledger.sweep(limit)
            found += part
            if len(part) < limit:
                break
            require(len(found) <= len(self.case_ids), NOT_TOO_OFTEN, "the sweep does not end")
        require(len(found) == len(set(found)), NOT_TOO_OFTEN, found)
        for case in self.case_ids:
            require(case in found or expected.get(case) is not True, NUDGED, self.book.head(case))
            require(case not in found or expected.get(case) is not False, NOT_TOO_OFTEN, self.book.head(case))
        for head in heads:
            if head.case in found:
                head.nudged_at, head.nudges = self.now, head.nudges + 1
                # The jitter is known from here on.
                head.due_from = min(head.due_from, self.now)
                head.due_by = min(head.due_by, self.now)
        return found

    @precondition(lambda self: self.book.events)
    @rule(pick=PICKS)
    def requeue(self, pick: int) -> None:
        """Of a dead event where there is one; of any other it must do nothing."""
        events = list(self.book.events.values())
        dead = [event for event in events if event.status == "dead"] or events
        self._requeue(dead[pick % len(dead)])

    @precondition(lambda self: any(event.status == "dead" for event in self.book.events.values()))
    @rule()
    def requeue_what_died_while_the_case_went_on(self) -> None:
        """The event that is put back leads the line again, and another one runs."""
        dead = next(event for event in self.book.events.values() if event.status == "dead")
        self._claim(dead.case, "busy")
        self._requeue(dead)
        self._claim(dead.case, "next")

    def _requeue(self, event: Known) -> None:
        answer = self.ledger.requeue(event.event_id)
        require(answer == (event.case if event.status == "dead" else None), EFFECTS_ONCE, f"requeued: {event}")
        if event.status == "dead":
            event.give_back(self.now, self.now)
            event.failures = event.waits = 0

    @rule()
    def drain(self) -> None:
        """Every worker dies; a day later one sweep and those it nudges bring everything to its end."""
        for paused in list(self.paused):
            self._resume(paused)
        self._move_to(self.now + EVERYTHING_IS_DUE)
        for case in self._sweep(500):
            while (claimed := self._claim(case, "drain")) is not None:
                self._finish(claimed, self.book.events[claimed.event_id])
        left = [event for event in self.book.events.values() if event.is_open]
        require(not left, NUDGED, left)

    # -- At every moment

    @invariant()
    def rows_keep_every_promise(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(ROWS)
            rows = {row[0]: Row(*row) for row in cursor.fetchall()}
        require(rows.keys() == self.book.events.keys(), NOTHING_VANISHES, (rows, self.book.events))
        busy = [row.case for row in rows.values() if row.status == "running"]
        require(len(busy) == len(set(busy)), ONE_AT_A_TIME, busy)
        for event in self.book.events.values():
            row = rows[event.event_id]
            require((row.key, row.text, row.case) == (event.key, event.text, event.case), FIRST_STAYS, (row, event))
            require(row.effects == event.effects <= 1, EFFECTS_ONCE, (row, event))
            require(row.attempt == event.attempt, ATTEMPT_RISES, (row, event))
            require((row.failures, row.waits) == (event.failures, event.waits), DEAD_AT_LIMIT, (row, event))
            require((row.status == "dead") == (event.failures >= MAX_FAILURES), DEAD_AT_LIMIT, (row, event))
            require(row.status == event.status, NOTHING_VANISHES, (row, event))
            require(row.lease_until == event.lease_until, LEASE_ENDS, (row, event))


def make_machine(ledger: Any, case_ids: list[UUID]) -> type[LedgerMachine]:
    """Returns the machine for one version of the ledger."""
    return type("LedgerMachine", (LedgerMachine,), {"ledger": ledger, "case_ids": case_ids})
