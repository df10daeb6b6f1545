"""One case under Hypothesis, through the real services, ledger and handlers; its rows must tell a legal history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentmail.client import AgentMailClient
from agentmail.models import OutboundEmail
from cases import services
from cases.agent.decisions import Evidence, FailedRejected, GoalAchieved, InputNeeded, RequiresReply, Snooze
from cases.agent.protocol import AgentTemporary, CaseView, Draft, Outcome
from cases.follow_ups import record_due_events
from cases.handlers.tools import Tools
from cases.interventions import NotPossible, close_as_failed, close_with_result, pause_case, resume_case
from cases.models import CaseEvent, Client, InputRequest
from cases.services import CaseAlreadyFinished, CaseNotWaiting, InputRequestMismatch, InputRequestNotPending, NewCase
from cases.workflow import Status
from tests.cases.handlers.conftest import AUDIT, DRAFT, MAYA, Desk
from tests.cases.machine.history_mail import HistoryProvider
from tests.cases.machine.test_workflow_machine import LEGAL
from webhooks.models import Delivery

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
THOUGHTS = st.sampled_from(
    ["answer", "answer", "snooze", "snooze", "snooze", "ask", "ask", "achieved", "refused", "busy", "crash", "killed"]
)
MEANWHILE = st.sampled_from(["", "", "", "", "", "reply", "reply", "input", "bounce", "cancel", "pause"])
FAULTS = st.sampled_from(["", "", "", "", "", "lost", "lost", "busy", "down", "refuses"])
# What a worker that is nudged meets: what the agent thinks, what the provider does, what happens meanwhile.
TURNS = st.tuples(THOUGHTS, FAULTS, MEANWHILE)
# A nudge may be lost or late.
NUDGES = st.one_of(TURNS, TURNS, TURNS, st.none())
Turn = tuple[str, str, str]
ANSWERED = (CaseNotWaiting, InputRequestMismatch, InputRequestNotPending)


class Killed(BaseException):
    """The worker's process is gone: nothing after it is run."""


class MoodyAgent:
    """Thinks what it is told to, and lets something happen while it does."""

    def __init__(self) -> None:
        self.thought = "answer"
        self.meanwhile: Callable[[], None] | None = None

    def draft_outreach(self, view: CaseView) -> Outcome[Any]:
        return self._think(view, is_draft=True)

    draft_follow_up = draft_outreach

    def evaluate(self, view: CaseView) -> Outcome[Any]:
        return self._think(view, is_draft=False)

    def _think(self, view: CaseView, *, is_draft: bool) -> Outcome[Any]:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        if self.thought == "busy":
            raise AgentTemporary("busy", None)
        if self.thought == "crash":
            raise ValueError("the agent has a bug")
        if self.thought == "killed":
            raise Killed
        return Outcome(self._draft() if is_draft else self._judge(view), AUDIT)

    def _draft(self) -> Draft | InputNeeded:
        return InputNeeded(kind="INPUT_NEEDED", question="Which year?") if self.thought == "ask" else DRAFT

    def _judge(self, view: CaseView) -> Any:
        source = next((m.message_id for m in reversed(view.thread) if m.sender == "counterparty"), "human:1")
        evidence = (Evidence(field="ok", message_id=source, quote="Here it is."),)
        match self.thought:
            case "achieved":
                return GoalAchieved(kind="GOAL_ACHIEVED", result={"ok": True}, evidence=evidence)
            case "refused":
                return FailedRejected(kind="FAILED_REJECTED", reason="No.", evidence=evidence)
            case "ask":
                return InputNeeded(kind="INPUT_NEEDED", question="Which year?")
            case "snooze":
                return Snooze(kind="SNOOZE", until=view.now + timedelta(days=2), reason="Maya is away.")
        return RequiresReply(kind="REQUIRES_REPLY", body="Hi Maya,\n\nthe LLC, please.\n\nAna")


class HistoryMachine(RuleBasedStateMachine):
    """The outside acts at any time, while the agent thinks too; everything may come twice."""

    provider: ClassVar[HistoryProvider]
    client: ClassVar[Client]

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    @initialize(max_attempts=st.integers(0, 2), turn=st.sampled_from(["answer", "answer", "answer", "ask", ""]))
    def open_case(self, max_attempts: int, turn: str) -> None:
        new = NewCase(
            objective="Collect a signed W-9 from Maya",
            counterparty_address=MAYA,
            counterparty_name="Maya Lindqvist",
            persona_name="Ana Reyes",
            client_webhook_url="https://app.example/hook",
            max_attempts=max_attempts,
        )
        case = services.open_case(self.client, new, now=START)
        self.provider.begin("thread-1")
        self.agent, clock = MoodyAgent(), [START]
        mail = AgentMailClient(self.provider.url, "am_test")
        tools = Tools(agent=self.agent, mail=mail, read_clock=lambda: clock[0])
        self.desk = Desk(case, self.agent, self.provider, clock, tools)  # type: ignore[arg-type]
        self.case = self.desk.read()
        self.last_message = ""
        self.at_pause: tuple[Any, ...] = ()
        if turn:
            self._work((turn, "", ""))

    # -- The worker

    @rule(turn=TURNS)
    def work(self, turn: Turn) -> None:
        self._work(turn)

    def _work(self, turn: Turn | None) -> None:
        """Whatever waits is due: how long it waits is the ledger's matter."""
        if turn is None:
            return
        thought, fault, meanwhile = turn
        taken = set(self.provider.taken)
        was_over = Status(self.desk.read().status).is_terminal
        self.agent.thought, self.provider.fault = thought, fault
        self.agent.meanwhile = getattr(self, f"_{meanwhile}") if meanwhile else None
        CaseEvent.objects.filter(status="ready").update(run_after=START)
        CaseEvent.objects.filter(status="running").update(lease_until=START)
        for _ in range(3):
            try:
                if self.desk.work() == 0:
                    break
            except Killed:
                break
        self.agent.meanwhile = None
        assert not was_over or set(self.provider.taken) == taken, "a mail left after the end"

    # -- The outside

    @rule(turn=NUDGES)
    def reply(self, turn: Turn | None) -> None:
        self._reply()
        self._work(turn)

    def _reply(self) -> None:
        stored = self.desk.receive("Here it is.")
        self.last_message = stored.event_id

    @precondition(lambda self: self.last_message)
    @rule(turn=NUDGES)
    def repeat_reply(self, turn: Turn | None) -> None:
        """The same mail under another event."""
        before = CaseEvent.objects.count()
        number = self.last_message.removeprefix("evt-")
        self.desk.receive("Here it is.", message_id=f"<in-{number}@northstar.example>")
        assert CaseEvent.objects.count() == before
        self._work(turn)

    @rule(turn=NUDGES)
    def receive_automatic_mail(self, turn: Turn | None) -> None:
        self.desk.receive("I am away.", subject="Automatic reply: W-9", headers={"Auto-Submitted": "auto-replied"})
        self._work(turn)

    @rule(is_wanted=st.integers(0, 7), turn=NUDGES)
    def bounce(self, is_wanted: int, turn: Turn | None) -> None:
        if is_wanted == 7:
            self._bounce()
        self._work(turn)

    def _bounce(self) -> None:
        if self.provider.taken:
            ids = next(reversed(self.provider.taken.values()))[0]
            self.desk.report("message.bounced", ids, type="Permanent", recipients=[{"address": MAYA}])

    @rule(is_wanted=st.integers(0, 7))
    def cancel(self, is_wanted: int) -> None:
        """Not too often, or every history is short."""
        if is_wanted == 7:
            self._cancel()

    def _cancel(self) -> None:
        try:
            services.cancel_case(self.case.id, by="sam", now=self.desk.clock[0])
        except CaseAlreadyFinished:
            assert Status(self.desk.read().status).is_terminal

    @rule(is_wanted=st.integers(0, 7), is_achieved=st.booleans())
    def close_by_hand(self, is_wanted: int, is_achieved: bool) -> None:
        """Not too often either."""
        if is_wanted < 7:
            return
        is_over = Status(self.desk.read().status).is_terminal
        try:
            if is_achieved:
                close_with_result(self.case.id, '{"ok": true}', by="sam", now=self.desk.clock[0])
            else:
                close_as_failed(self.case.id, "no", by="sam", now=self.desk.clock[0])
            assert not is_over
        except NotPossible:
            assert is_over

    @rule(turn=NUDGES)
    def pause(self, turn: Turn | None) -> None:
        self._pause()
        self._work(turn)

    def _pause(self) -> None:
        try:
            if pause_case(self.case.id, by="sam", now=self.desk.clock[0]):
                self.at_pause = self._take_stock()
        except NotPossible:
            assert Status(self.desk.read().status).is_terminal

    @rule(turn=NUDGES)
    def resume(self, turn: Turn | None) -> None:
        was_paused = self.desk.read().paused_at is not None
        assert resume_case(self.case.id, by="sam", now=self.desk.clock[0]) == was_paused
        self._work(turn)

    def _take_stock(self) -> tuple[Any, ...]:
        """What rests while a case is paused."""
        case = self.desk.read()
        told = Delivery.objects.filter(owner=case.id).count()
        return (case.status, case.attempt_count, case.next_action_at, case.updated_at, told, set(self.provider.taken))

    @rule(turn=NUDGES)
    def input(self, turn: Turn | None) -> None:
        self._input()
        self._work(turn)

    def _input(self) -> None:
        """Answers the newest question there ever was, pending or not, and then again."""
        newest = InputRequest.objects.filter(case=self.case).last()
        taken = 0
        for text in ("Here it is.", "again"):
            try:
                services.answer_input_request(
                    self.case.id, str(newest.pk if newest else ""), text, answered_by="sam", now=self.desk.clock[0]
                )
                taken += 1
            except ANSWERED:
                pass
        assert taken == (1 if newest is not None and newest.status == InputRequest.PENDING else 0)

    @rule(hours=st.sampled_from([73, 72, 48, 1]), turn=NUDGES)
    def sweep(self, hours: int, turn: Turn | None) -> None:
        """Time passes, and two sweeps overlap."""
        self.desk.clock[0] += timedelta(hours=hours)
        found = list(record_due_events(self.desk.clock[0]))
        assert len(found) <= (self.desk.read().paused_at is None)
        assert list(record_due_events(self.desk.clock[0])) == []
        self._work(turn)

    @rule(is_requeued=st.booleans())
    def look_after_dead_events(self, is_requeued: bool) -> None:
        for event in CaseEvent.objects.filter(status="dead"):
            if is_requeued:
                assert services.requeue_event(event.id)
            else:
                services.give_up_event(event.id, by="sam", now=self.desk.clock[0])

    # -- What the rows must tell

    @invariant()
    def rows_tell_a_legal_history(self) -> None:
        self.before, self.case = self.case, self.desk.read()
        self._check_that_the_status_moves_legally_and_ends_once()
        self._check_that_no_mail_leaves_twice()
        self._check_that_follow_ups_stay_within_their_budget()
        self._check_that_the_client_hears_of_each_question_and_of_one_end()
        self._check_that_a_question_stands_only_where_a_human_is_waited_for()
        self._check_that_a_live_case_never_stands_still()
        if self.case.paused_at is not None:
            assert self._take_stock() == self.at_pause, "a paused case moved"

    def _check_that_the_status_moves_legally_and_ends_once(self) -> None:
        before, case = self.before, self.case
        assert case.updated_at >= before.updated_at
        if Status(before.status).is_terminal:
            kept = ("status", "result_status", "result", "failure_reason", "next_action_at")
            assert [getattr(case, name) for name in kept] == [getattr(before, name) for name in kept]
        if case.status != before.status:
            # One step may hold several moves.
            reachable = LEGAL[Status(before.status)]
            reachable = reachable | {end for middle in reachable for end in LEGAL[middle]}
            assert case.status in reachable, (before.status, case.status)
            assert case.updated_at > before.updated_at

    def _check_that_no_mail_leaves_twice(self) -> None:
        assert not self.provider.contradictions
        mails = list(OutboundEmail.objects.filter(owner=self.case.id))
        assert self.provider.taken.keys() <= {mail.idempotency_key for mail in mails}
        sent = [mail for mail in mails if mail.state == "sent"]
        counted = [mail for mail in sent if CaseEvent.objects.filter(pk=mail.reference, status="done").exists()]
        assert self.case.attempt_count == len(counted) <= len(self.provider.taken)

    def _check_that_follow_ups_stay_within_their_budget(self) -> None:
        assert self.case.follow_ups_sent <= self.case.max_attempts
        sent = OutboundEmail.objects.filter(owner=self.case.id, state="sent").values_list("reference", flat=True)
        nudges = CaseEvent.objects.filter(
            pk__in=[int(one) for one in sent], status="done", agent_run__mail_kind__in=["follow_up", "nudge"]
        )
        assert self.case.follow_ups_sent == nudges.count()
        if self.case.result_status == "max_retries":
            assert self.case.follow_ups_sent == self.case.max_attempts

    def _check_that_the_client_hears_of_each_question_and_of_one_end(self) -> None:
        told = list(Delivery.objects.filter(owner=self.case.id).values_list("event_type", flat=True))
        questions = InputRequest.objects.filter(case=self.case).count()
        ends = {"COMPLETED": ["case.completed"], "FAILED": ["case.failed"]}.get(self.case.status, [])
        assert sorted(told) == sorted([*["case.input_needed"] * questions, *ends])

    def _check_that_a_question_stands_only_where_a_human_is_waited_for(self) -> None:
        pending = InputRequest.objects.filter(case=self.case, status=InputRequest.PENDING).count()
        assert pending <= (1 if self.case.status == Status.INPUT_NEEDED else 0)
        assert self.case.next_action_at is None or self.case.status == Status.RUNNING

    def _check_that_a_live_case_never_stands_still(self) -> None:
        """Something is scheduled, a human is asked, or an event is on its way or dead before a human."""
        if self.case.status in ("COMPLETED", "FAILED") or self.case.next_action_at is not None:
            return
        is_asked = InputRequest.objects.filter(case=self.case, status=InputRequest.PENDING).exists()
        assert is_asked or CaseEvent.objects.filter(case=self.case).exclude(status="done").exists(), self.case.status


def make_machine(provider: HistoryProvider, client: Client) -> type[HistoryMachine]:
    """Returns the machine at one provider's server."""
    return type("HistoryMachine", (HistoryMachine,), {"provider": provider, "client": client})
