"""What a run prints: one line to remember it by, and the whole story of a case that went wrong."""

from __future__ import annotations

from tests.chaos.checker import check_run
from tests.chaos.evidence import Evidence
from tests.chaos.plan import Blow
from tests.chaos.report import Run, write_figures, write_stories
from tests.chaos.test_checker import make_file, with_row

RUN = Run(
    seed=7,
    struck={Blow.KILL_WORKER: 6, Blow.KILL_WEB: 3, Blow.KILL_BEAT: 1, Blow.RESTART_DATABASE: 1, Blow.WIPE_QUEUE: 2},
    faults_met=40,
    lasted_s=71.4,
    drained_s=12.3,
    unrest={},
    requeued=1,
)


def test_the_figures_are_one_line_with_the_seed() -> None:
    evidence = Evidence((make_file(),))

    assert write_figures(RUN, evidence, []) == (
        "chaos: 1 cases, 10 kills, 1 database restarts, 2 queue wipes, 0 queue stops, 40 provider faults, 2 mails, "
        "4 events, 0 events taken again, 1 requeued by support, 0 dead, 2 client webhooks, 0 unknown, 0 failed, "
        "0 lost, 0 wrong, 0 twice; drained 12 s after the last fault, 71 s in all; seed 7"
    )


def test_a_run_that_does_not_come_to_rest_says_what_is_left() -> None:
    busy = Run(7, {}, 0, 400.0, 300.0, {"events": 2})

    assert "NOT drained after 300 s ({'events': 2})" in write_figures(busy, Evidence(()), [])


def test_a_case_that_went_wrong_is_told_in_the_order_of_time() -> None:
    evidence = Evidence((with_row(attempt_count=1),))

    story = write_stories(evidence, check_run(evidence)).splitlines()

    assert story[:3] == [
        "== chaos-1-000",
        "WRONG the API shows ('COMPLETED', 'goal_achieved', 2), and stored is ('COMPLETED', 'goal_achieved', 1)",
        "WRONG attemptCount is 1, and 2 mails were sent",
    ]
    moments = [line[2:] for line in story if line.startswith("  10:")]
    assert moments == sorted(moments)
    assert moments[0] == "10:00:00.000000 case CREATED  attemptCount 0"
    assert "10:00:13.000000 provider sent <1@us>" in moments
    assert "10:00:41.000000 agent, event 4: evaluate GOAL_ACHIEVED " in moments
    assert "  event 4 REPLY_RECEIVED done, attempt 1, failures 0, waits 0: Done. / -" in story


def test_of_many_cases_that_went_wrong_the_first_are_told() -> None:
    evidence = Evidence((with_row(attempt_count=1),))
    violations = [*check_run(evidence), *check_run(Evidence((), ("a mail",)))]

    assert write_stories(evidence, violations, most=1).endswith("\n\nand 1 cases more")
