"""Plays one run of chaos over the real stack and judges it; `./dev chaos` and the small test both start it here."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.chaos.checker import Violation, check_run
from tests.chaos.evidence import Evidence, Told, read_evidence
from tests.chaos.nemesis import Nemesis
from tests.chaos.plan import Options, Plan, PlannedCase, make_plan
from tests.chaos.player import Astray, Player, call
from tests.chaos.recorder import install
from tests.chaos.report import Run, write_figures, write_stories
from tests.chaos.stories import STORIES, Ending
from tests.chaos.support import Support
from tests.chaos.world import GivenUp, World
from tests.live.stack import Stack

# At rest within three minutes of the last fault; watched a little longer, to tell slow from stuck.
REST_DUE_S = 180.0
PATIENCE_S = 300.0
# A client webhook whose worker died is left for a minute; its POST itself is over after 15 s.
WEBHOOK_DEADLINE_S = 16.0
# The tables tell in one look that nothing is left, but a task may just be about to write.
QUIET_LOOKS = 3
LOOK_EVERY_S = 0.5
# A reply whose webhook is lost is looked for every ten minutes; nobody waits for that here.
SETTINGS = {"OFFLOAD_RECONCILE_SECONDS": "3"}
TELL_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    run: Run
    evidence: Evidence
    violations: list[Violation]

    @property
    def is_good(self) -> bool:
        return not self.violations and not self.run.unrest and self.run.drained_s <= REST_DUE_S

    @property
    def figures(self) -> str:
        return write_figures(self.run, self.evidence, self.violations)

    @property
    def stories(self) -> str:
        return write_stories(self.evidence, self.violations)


class Performance:
    """One run: the stack, its players and its nemesis."""

    def __init__(self, options: Options, stack: Stack) -> None:
        description = stack.description
        self._options = options
        self._stack = stack
        self._world = World(description["database_url"])
        self._nemesis = Nemesis(stack)
        self._support = Support(description)
        self._told: dict[int, Told] = {}

    def play(self) -> Outcome:
        """Runs the plan and returns what came of it."""
        install(self._world.database_url)
        plan = make_plan(self._options)
        self._world.start()
        began = time.monotonic()
        players = [
            threading.Thread(target=self._play_case, args=(case, began), name=f"case-{case.number}", daemon=True)
            for case in plan.cases
        ]
        for thread in players:
            thread.start()
        faults_met = self._cause_trouble(plan, began)
        calm_since = time.monotonic()
        unrest = self._wait_for_rest(players, calm_since)
        drained_s = time.monotonic() - calm_since
        self._world.end()
        for thread in players:
            thread.join()
        told = [self._look_up(self._told[case.number]) for case in plan.cases]
        evidence = read_evidence(self._world.database_url, told)
        lasted_s = time.monotonic() - began
        requeued = self._support.requeued
        run = Run(plan.seed, self._nemesis.struck, faults_met, lasted_s, drained_s, unrest, requeued)
        return Outcome(run, evidence, check_run(evidence))

    def _cause_trouble(self, plan: Plan, began: float) -> int:
        """Plays all strikes and faults; returns how many faults the provider's callers met."""
        is_over = threading.Event()
        faults = threading.Thread(target=self._nemesis.queue_all, args=(plan.faults, began, is_over), daemon=True)
        faults.start()
        self._nemesis.strike_all(plan.strikes)
        time.sleep(max(0.0, began + plan.lasts_s - time.monotonic()))
        is_over.set()
        faults.join()
        unmet = self._nemesis.end_faults()
        return len(plan.faults) - sum(map(len, unmet.values()))

    def _play_case(self, case: PlannedCase, began: float) -> None:
        description = self._stack.description
        player = Player(
            reference=f"chaos-{self._options.seed}-{case.number:03}",
            world=self._world,
            api=description["api"],
            api_key=description["api_key"],
            sandbox=description["sandbox"].rstrip("/"),
            receiver=description["webhook_receiver"],
        )
        ending: Ending | None = None
        trouble = ""
        self._world.is_over.wait(max(0.0, began + case.opens_at_s - time.monotonic()))
        try:
            ending = STORIES[case.shape](player)
        except Astray as error:
            trouble = str(error)
        except GivenUp:
            trouble = f"the run ended while it was to {player.steps[-1]}; it was {self._world.look(player.reference)}"
        except Exception as error:  # a fault of a story itself must not pass for a case that was never there
            trouble = repr(error)
        self._told[case.number] = Told(
            reference=player.reference,
            shape=case.shape,
            case_id=player.case_id,
            ending=ending,
            trouble=trouble,
            inputs=tuple(player.inputs),
            replies=tuple(player.replies),
            steps=tuple(player.steps),
        )

    def _look_up(self, told: Told) -> Told:
        if not told.case_id:
            return told
        description = self._stack.description
        answer = call(f"{description['api']}/cases/{told.case_id}", headers={"x-api-key": description["api_key"]})
        return replace(told, shown=answer.body.get("data", {}))

    def _wait_for_rest(self, players: list[threading.Thread], calm_since: float) -> dict[str, int]:
        """Waits until every story is over and no row is left to work on; returns what is left after all patience."""
        quiet, told_at = 0, calm_since
        unrest: dict[str, int] = {}
        while time.monotonic() < calm_since + PATIENCE_S:
            for dead in self._world.query("SELECT id, case_id FROM cases_caseevent WHERE status = 'dead'"):
                self._support.requeue(dead["case_id"], dead["id"])
            unrest = self._world.count_unrest()
            playing = sum(thread.is_alive() for thread in players)
            unrest |= {"stories": playing} if playing else {}
            quiet = 0 if unrest else quiet + 1
            if quiet == QUIET_LOOKS:
                return {}
            if not self._options.is_long and unrest.keys() == {"deliveries"}:
                self._close_crashed_deliveries(calm_since)
            if time.monotonic() > told_at + TELL_EVERY_S:
                told_at = time.monotonic()
                say(f"{told_at - calm_since:.0f} s after the last fault: {unrest}")
            time.sleep(LOOK_EVERY_S)
        return unrest

    def _close_crashed_deliveries(self, calm_since: float) -> None:
        """Spares the short run a minute: whoever held these attempts is dead, since no POST lasts so long."""
        if time.monotonic() > calm_since + WEBHOOK_DEADLINE_S:
            self._world.query(
                "UPDATE webhooks_delivery SET lease_until = now() WHERE state = 'sending' AND lease_until > now() "
                "RETURNING id"
            )


def perform(options: Options, directory: Path) -> Outcome:
    """Starts a stack in `directory`, plays the run on it and stops it."""
    stack = Stack(directory, **SETTINGS)
    try:
        return Performance(options, stack).play()
    finally:
        stack.stop()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parse_options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev chaos", description="Kills the real stack while cases run.")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database-restarts", type=int, default=5)
    parser.add_argument("--queue-wipes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same run (default: any)")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    return Options(given.cases, given.kills, given.database_restarts, given.queue_wipes, seed, is_long=True)


def main(arguments: list[str]) -> int:
    """Plays one run, prints its figures, and returns 1 when anything is lost, wrong or twice."""
    options = parse_options(arguments)
    # Otherwise the stack would run on without us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="offload-chaos-"))
    say(f"seed {options.seed}; the log of all processes: {directory}/up.log")
    outcome = perform(options, directory)
    if not outcome.is_good:
        say(f"{outcome.stories}\n")
    say(outcome.figures)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
