"""The offline agent: rules behind the same protocol as a model; calls nobody and says in its audit what it is."""

import hashlib
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from cases.agent.decisions import Decision, InputNeeded, RequiresReply
from cases.agent.guard import check_outgoing
from cases.agent.offline.assessing import Facts, find_objective
from cases.agent.offline.hints import hint
from cases.agent.offline.human import judge_answer
from cases.agent.offline.judging import judge
from cases.agent.offline.letters import write_follow_up, write_mail, write_outreach
from cases.agent.offline.verdicts import ProposedReply, ask_human
from cases.agent.protocol import CaseView, Draft, Outcome, RunAudit

PROMPT_VERSION = "offline-1"


class OfflineAgent:
    """An Agent made of rules. The same view gives the same outcome, and no call raises."""

    def draft_outreach(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the first message, or a question when the objective says nothing or no wording passes the guard."""
        started = time.perf_counter()
        facts = Facts(view)
        hits: list[str] = []
        value: Draft | InputNeeded
        if not find_objective(view):
            value = ask_human(
                f'The objective "{" ".join(view.objective.split())[:200]}" does not say what to ask for. '
                "What should I write to them about?",
                'You can write what to ask for, such as "Collect a signed W-9 form".',
                "An objective of fewer than two words.",
            )
        else:
            attempts: list[Callable[[], Draft]] = [
                lambda: write_outreach(view, facts.ask, facts.fields),
                lambda: write_outreach(view, facts.ask, facts.fields, is_minimal=True),
            ]
            if view.human_answers:
                attempts.append(lambda: _draft_from_answer(view))
            value = _first_allowed(attempts, view, hits) or _ask_for_wording(
                hits, "You can write the text of the message, which is sent as you write it."
            )
        return Outcome(value, _audit("draft_outreach", view, started, hits))

    def draft_follow_up(self, view: CaseView) -> Outcome[Draft | InputNeeded]:
        """Return the next reminder in the thread, or a question when no wording passes the guard."""
        started = time.perf_counter()
        facts = Facts(view)
        hits: list[str] = []
        attempts: list[Callable[[], Draft]] = [
            lambda: write_follow_up(view, facts.ask, facts.missing, has_some=bool(facts.noted)),
            lambda: write_follow_up(view, facts.ask, (), has_some=False),
        ]
        value: Draft | InputNeeded = _first_allowed(attempts, view, hits) or _ask_for_wording(hits, hint(facts))
        return Outcome(value, _audit("draft_follow_up", view, started, hits))

    def evaluate(self, view: CaseView) -> Outcome[Decision]:
        """Return what the thread, or a human's answer, means for the case."""
        started = time.perf_counter()
        facts = Facts(view)
        hits: list[str] = []
        verdict = judge_answer(facts) if view.reason == "input" else judge(facts)
        value: Decision = _check_reply(verdict, facts, hits) if isinstance(verdict, ProposedReply) else verdict
        return Outcome(value, _audit("evaluate", view, started, hits))


def _first_allowed(attempts: Sequence[Callable[[], Draft]], view: CaseView, hits: list[str]) -> Draft | None:
    for attempt in attempts:
        draft = attempt()
        found = check_outgoing(draft.body, draft.subject, view)
        if not found:
            return draft
        hits.extend(f"{hit.rule}: {hit.detail}" for hit in found)
    return None


def _check_reply(reply: ProposedReply, facts: Facts, hits: list[str]) -> RequiresReply | InputNeeded:
    for body in filter(None, (reply.body, reply.minimal)):
        found = check_outgoing(body, "", facts.view)
        if not found:
            return RequiresReply(kind="REQUIRES_REPLY", body=body, rationale=reply.rationale, confidence=0.8)
        hits.extend(f"{hit.rule}: {hit.detail}" for hit in found)
    return _ask_for_wording(hits, hint(facts))


def _draft_from_answer(view: CaseView) -> Draft:
    """Return a first message in the words of the human who was asked for them."""
    answer = " ".join(view.human_answers[-1].answer.split())
    company = " ".join(view.persona.company.split())
    return Draft(
        subject=f"A request from {company}" if company else "A request",
        body=write_mail(view, [answer, "Thank you very much."]),
        rationale="The request in a human's words.",
    )


def _ask_for_wording(hits: Sequence[str], choices: str) -> InputNeeded:
    rules = ", ".join(dict.fromkeys(hit.partition(":")[0] for hit in hits))
    return ask_human(
        f"I could not write a message that passes the checks on outgoing mail ({rules}). Which words may I send them?",
        choices,
        "The guard refused every wording.",
    )


def _audit(operation: str, view: CaseView, started: float, hits: Sequence[str]) -> RunAudit:
    """Return the record of one call; the hash is of what the rules were given, as they have no prompt."""
    return RunAudit(
        implementation="offline",
        model_asked="rules",
        model_answered="rules",
        prompt_version=PROMPT_VERSION,
        prompt_hash=hashlib.sha256(repr((operation, view)).encode("utf-8", "replace")).hexdigest(),
        tokens_in=0,
        tokens_out=0,
        cost_usd=Decimal(0),
        latency_ms=round((time.perf_counter() - started) * 1000),
        reasks=(),
        guard_hits=tuple(dict.fromkeys(hits)),
        message_ids=tuple(message.message_id for message in view.thread),
    )
