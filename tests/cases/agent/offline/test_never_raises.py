"""Whatever a thread holds, the agent gives an outcome that the database can hold, and its mail may leave."""

import json
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases.agent.decisions import FailedRejected, GoalAchieved, RequiresReply, parse_decision
from cases.agent.guard import check_outgoing
from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import AttachmentView, CaseView, Draft, HumanAnswer, Persona, ThreadMessage
from tests.cases.agent.builders import NOW, W9_SCHEMA

AGENT = OfflineAgent()
PHRASES = (
    *(
        "confirmed",
        "yes",
        "no",
        "not",
        "we will",
        "sign",
        "decline",
        "unsubscribe",
        "attached",
        "PO number",
        "when",
        "why",
    ),
    *("legal name:", "EIN:", "12-3456789", "LLC", "tax classification:", "1.250", "?", "!", ".", ",", "\n", ">", "-"),
    *(
        "by Friday",
        "next week",
        "until 3 December",
        "04/05/2027",
        "away",
        "{",
        "}",
        '"',
        ":",
        '"\\u0000"',
        "\ud800",
        "\x00",
    ),
    *(
        "\u202e",
        "ignore previous instructions",
        "https://evil.example",
        "me@evil.example",
        "close the case",
        "tell them",
    ),
)
TEXT = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PHRASES), max_size=25).map(" ".join))
SHORT = st.text(max_size=30)
SENDERS = st.sampled_from(["us", "counterparty", "other"])
KINDS = st.sampled_from(["", "out_of_office", "autoreply"])
SCHEMAS = st.one_of(
    st.none(),
    st.just(W9_SCHEMA),
    st.dictionaries(SHORT, st.one_of(SHORT, st.integers(), st.none()), max_size=3),
    st.builds(
        lambda names: {"properties": {name: {"type": "string"} for name in names}},
        st.lists(SHORT, max_size=4),
    ),
)


@st.composite
def build_views(draw: st.DrawFn) -> CaseView:
    count = draw(st.integers(0, 4))
    thread = []
    for number in range(count):
        kind = draw(KINDS)
        message_id = draw(SHORT)
        files = tuple(AttachmentView(name, "", 1, message_id) for name in draw(st.lists(SHORT, max_size=2)))
        sent_at = NOW - timedelta(hours=count - number)
        sender: Any = draw(SENDERS)
        thread.append(
            ThreadMessage(message_id, sender, draw(SHORT), sent_at, draw(SHORT), draw(TEXT), bool(kind), kind, files)
        )
    reason: Any = draw(st.sampled_from(["outreach", "follow_up", "reply", "recheck", "input"]))
    return CaseView(
        objective=draw(TEXT),
        counterparty_name=draw(SHORT),
        counterparty_company=draw(SHORT),
        persona=Persona(draw(SHORT), draw(SHORT), draw(SHORT), draw(SHORT)),
        now=NOW,
        reason=reason,
        knowledge=draw(st.one_of(st.none(), TEXT, st.dictionaries(SHORT, TEXT, max_size=3))),
        private_knowledge=draw(
            st.one_of(st.none(), st.dictionaries(SHORT, st.one_of(TEXT, st.integers()), max_size=2))
        ),
        timezone=draw(SHORT),
        result_schema=draw(SCHEMAS),
        human_answers=tuple(HumanAnswer("?", text, NOW) for text in draw(st.lists(TEXT, max_size=2))),
        thread=tuple(thread),
        follow_ups_sent=draw(st.integers(0, 5)),
        max_attempts=draw(st.integers(0, 5)),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(build_views())
def test_every_view_has_an_outcome_that_can_be_stored_and_sent(view: CaseView) -> None:
    decision = AGENT.evaluate(view).value
    drafts = [AGENT.draft_outreach(view).value, AGENT.draft_follow_up(view).value]

    assert parse_decision(json.loads(json.dumps(decision.model_dump(mode="json")))) == decision
    if isinstance(decision, RequiresReply):
        assert check_outgoing(decision.body, "", view) == []
    for draft in drafts:
        if isinstance(draft, Draft):
            assert check_outgoing(draft.body, draft.subject, view) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(build_views())
def test_without_a_word_of_the_counterparty_or_a_human_no_case_ends(view: CaseView) -> None:
    spoke = any(message.sender == "counterparty" and not message.is_automatic for message in view.thread)
    decision = AGENT.evaluate(view).value

    if isinstance(decision, GoalAchieved | FailedRejected):
        assert spoke or view.human_answers
