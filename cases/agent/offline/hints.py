"""What our human can write in answer to a question; offers only words that the rules understand."""

from datetime import timedelta

from cases.agent.offline.asking import first_name
from cases.agent.offline.assessing import Facts
from cases.agent.offline.letters import format_day
from cases.agent.offline.questions import find_questions, sets_condition
from cases.agent.offline.reading import shorten

EXAMPLE_WAIT = timedelta(days=7)
ORDERS = ('"tell them ..."', '"remind them"')
CLOSE = '"close the case"'


def has_asked(facts: Facts) -> bool:
    """Say whether the counterparty's unanswered messages ask something."""
    return any(find_questions(reply) for reply in facts.reading.pending)


def relays_answer(facts: Facts) -> bool:
    """Say whether a plain answer goes to the counterparty, who waits for one and wrote last."""
    newest = facts.reading.newest
    is_theirs = newest is not None and newest.sender == "counterparty"
    return is_theirs and (has_asked(facts) or any(sets_condition(reply) for reply in facts.reading.pending))


def hint(facts: Facts, *first: str, is_day: bool = False, is_file: bool = False) -> str:
    """Return one sentence with what can be written, after the note that the answer for them is sent on, where it is.

    `first` are the orders that suit the question; with `is_day` a day is what is asked for, with `is_file` values are.
    """
    again = f'"try again on {format_day(facts.view.now + EXAMPLE_WAIT, facts.view)}"'
    orders = [f'"{order}"' for order in first]
    if is_day:
        return _join([again, *orders, *ORDERS, CLOSE])
    values = []
    if facts.missing:
        values = [f'lines such as "{shorten(" ".join(facts.missing[0].label.split()), 80)}: ..."']
    elif not facts.fields:
        values = ['"mark it as complete"']
    if relays_answer(facts):
        name = first_name(facts.view.counterparty_name) or "them"
        choices = [f"the answer for {name}", *orders, *values, again, CLOSE]
        return f"The answer for {name} is sent as you write it. {_join(choices)}"
    middle = [*values, *ORDERS] if is_file else [*ORDERS, *values]
    return _join([*orders, *middle, again, CLOSE])


def _join(choices: list[str]) -> str:
    return f"You can write {', '.join(choices[:-1])} or {choices[-1]}."
