"""What the newest reply means for a case; ends a case only on what is plain, and asks a human about the rest."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cases.agent.decisions import FailedRejected, GoalAchieved, InputNeeded, Snooze
from cases.agent.offline.assessing import Facts
from cases.agent.offline.confirmations import find_confirmation, is_doubtful, names_other_facts
from cases.agent.offline.fields import cite
from cases.agent.offline.hints import hint
from cases.agent.offline.letters import (
    ask_for_file_again,
    ask_for_missing,
    format_value,
    is_derived,
    name_inline,
    write_mail,
)
from cases.agent.offline.phrases import compile_phrases
from cases.agent.offline.plainness import find_unread, list_known_words
from cases.agent.offline.questions import Answer, answer_question, find_questions, quote_questions
from cases.agent.offline.reading import Reply, fold, quote, shorten
from cases.agent.offline.refusals import Refusal, asks_for_silence, judge_refusal
from cases.agent.offline.reservations import find_unread_words, list_questioned, names_file
from cases.agent.offline.signals import (
    claims_file,
    find_redirect,
    find_reservation,
    is_meant_for_machine,
    is_only_thanks,
)
from cases.agent.offline.verdicts import (
    ProposedReply,
    Verdict,
    accept,
    answer_them,
    ask_human,
    judge_wait,
    name_them,
    nudge,
    snooze,
)
from cases.agent.offline.waiting import Wait, asks_only_for_time, find_absence_note, find_wait
from cases.agent.wanted import WantedField, split_identifier

_LEARN = compile_phrases(
    r"""
    ^(find out|learn|determine|clarify|inquire|enquire)
    (price|prices|pricing|quotes?|how (much|many|long)|when|which|who|where)
    """
)
_TIME_SOUGHT = compile_phrases(
    "(when|dates?|times?|schedul*|reschedul*|appointment|meeting|call|interview|visit|slot|delivery)"
)
_AGREE = compile_phrases("(confirm*|approv*|agree*|accept*|whether|if|sign*)")
UNKNOWN_FILE = "brings a file that I cannot read, and its name does not tell what it is"
_AGREEING = frozenset(
    ("confirmed", "confirm", "confirmation", "accepted", "agreed", "approved", "attending", "available", "acknowledged")
)


def judge(facts: Facts) -> Verdict:
    """Return what the thread means. The newest message of a person decides; machines decide only when alone."""
    view = facts.view
    if view.reason != "recheck":
        return _judge_thread(facts)
    if view.new_message_ids == ():
        return nudge(facts)
    verdict = _judge_thread(facts)
    has_waited = isinstance(verdict, Snooze) and view.new_message_ids is None and view.snoozes_in_a_row > 0
    is_answered = isinstance(verdict, InputNeeded) and _is_answered(facts)
    return nudge(facts) if has_waited or is_answered else verdict


def _judge_thread(facts: Facts) -> Verdict:
    newest = facts.reading.newest
    if newest is None:
        return _judge_silence(facts)
    if newest.sender == "other":
        return ask_human(
            f"{newest.sender_name or 'Somebody else'}, who is not the counterparty of this case, wrote: "
            f"{quote(Reply(newest).excerpt)} How should I go on?",
            hint(facts),
            "Only the counterparty's own words can end a case.",
        )
    return _judge_reply(facts)


def _is_answered(facts: Facts) -> bool:
    """Say whether a human has already spoken about everything that stands in the thread."""
    newest, answers = facts.reading.newest, facts.view.human_answers
    return newest is not None and bool(answers) and answers[-1].answered_at > newest.sent_at


def _judge_silence(facts: Facts) -> Verdict:
    automatic = facts.reading.automatic
    away = [note for note in automatic if "office" in note.automatic_kind.casefold()]
    if away:
        wait = find_absence_note(away[-1], facts.zone)
        return judge_wait(facts, wait, away[-1].sent_at)
    if facts.view.reason == "recheck":
        return nudge(facts)
    last = automatic[-1].sent_at if automatic else facts.view.now
    reason = "Only automatic mail has come in." if automatic else "No reply has come in."
    return snooze(max(last, facts.view.now) + timedelta(days=1), reason)


def _judge_reply(facts: Facts) -> Verdict:
    pending = facts.reading.pending
    newest = pending[-1]
    labels = [name for field in facts.fields for name in (field.name, field.label)]
    if any(is_meant_for_machine(reply, labels) for reply in pending):
        return ask_human(
            f"A message of {name_them(facts)} gives orders to an automatic reader: {quote(newest.excerpt)} "
            "Is this really their answer, and how should I go on?",
            hint(facts, "it is genuine"),
            "Text that addresses the program is no basis for an outcome.",
        )
    objective = f"{facts.view.objective} {' '.join(field.label for field in facts.fields)}"
    refusals = [judge_refusal(reply, objective) for reply in pending]
    if facts.is_complete:
        return _judge_complete(facts, [sentence for refusal, sentence in refusals if refusal is not Refusal.NONE])
    if any(refusal is not Refusal.NONE for refusal, _ in refusals):
        return _judge_refusal(facts, refusals)
    if not newest.words:
        return _ask_about(facts, "holds nothing that I can read beside quoted text")
    return (
        _judge_confirmation(facts)
        or _judge_questions(facts)
        or _judge_waiting(facts)
        or _judge_files(facts)
        or _judge_partial(facts)
        or _judge_rest(facts)
    )


def _judge_complete(facts: Facts, refused: list[str]) -> Verdict:
    pending = facts.reading.pending
    sources = {found.message_id for found in facts.gathered.values.values()}
    relevant = [reply for reply in facts.reading.replies if reply in pending or reply.message.message_id in sources]
    doubt = next((text for text in [*refused, *map(find_reservation, relevant)] if text), "")
    # A question of before the values, in a mail of its own, is not about them.
    since = min((reply.message.sent_at for reply in relevant if reply.message.message_id in sources), default=None)
    recent = [reply for reply in relevant if since is None or reply.message.sent_at >= since]
    doubt = doubt or next((text for reply in recent for text in list_questioned(reply, facts)), "")
    if doubt:
        return _ask_whether_to_take(facts, doubt)
    is_announced = facts.wants_file and any(claims_file(reply) for reply in pending)
    if is_announced and not facts.reading.documents and not facts.is_file_waived:
        return ask_for_file(facts)
    if facts.lacks_file:
        return _judge_questions(facts) or _judge_waiting(facts) or ask_for_file(facts)
    for reply in recent:
        if unread := find_unread_words(reply, facts):
            return _ask_whether_to_take(facts, unread)
    is_observed = any(is_derived(field) and field.name in facts.gathered.values for field in facts.fields)
    if is_observed and not names_file(facts):
        return _ask_about(facts, UNKNOWN_FILE)
    if any(_is_yes(field) and facts.gathered.result.get(field.name) is False for field in facts.fields):
        return _ask_about(facts, "may be a refusal, but not a plain one")
    questions = [question for reply in pending for question in find_questions(reply)]
    asked = f" They also asked: {quote_questions(questions)}" if questions else ""
    return accept(facts, f"Every value that the schema asks for stands in their own words.{asked}")


def _ask_whether_to_take(facts: Facts, doubt: str) -> InputNeeded:
    return ask_human(
        f"{name_them(facts)} gave everything that was asked for, but also wrote: {quote(doubt, 300)} "
        "May I take it as it is?",
        hint(facts, "accept it"),
        "Something stands beside the values that may change what they mean.",
    )


def _is_yes(field: WantedField) -> bool:
    words = {word.lower() for word in split_identifier(field.name)}
    return bool(words & {"confirmed", "confirm", "confirmation", "accepted", "agreed", "approved"})


def _judge_refusal(facts: Facts, refusals: list[tuple[Refusal, str]]) -> Verdict:
    newest = facts.reading.pending[-1]
    refusal, sentence = refusals[-1]
    pending_ids = {reply.message.message_id for reply in facts.reading.pending}
    has_given = any(found.message_id in pending_ids for found in facts.gathered.values.values())
    if refusal is Refusal.CLEAR and not has_given:
        return FailedRejected(
            kind="FAILED_REJECTED",
            reason=f"{name_them(facts)} declined: {quote(sentence, 500)}",
            asks_not_to_be_written_to=asks_for_silence(sentence),
            evidence=(cite("", newest.message.message_id, sentence),),
            rationale="A plain refusal without condition, date or counter-offer.",
            confidence=0.9,
        )
    wait = find_wait(newest, facts.zone)
    if refusal is not Refusal.CLEAR and wait is not None and wait.until is not None and not find_questions(newest):
        return judge_wait(facts, wait, newest.message.sent_at)
    return _ask_about(facts, "may be a refusal, but not a plain one")


def _judge_confirmation(facts: Facts) -> Verdict | None:
    newest = facts.reading.pending[-1]
    missing = [field for field in facts.missing if field.required]
    is_one_yes = len(missing) == 1 and _is_agreeing(missing[0])
    if facts.fields and not is_one_yes:
        return None
    earlier = facts.reading.pending[:-1]
    sentence = find_confirmation(newest)
    brings_file = facts.wants_file and newest.documents and claims_file(newest) and not is_doubtful(newest)
    if not (sentence or (brings_file and not facts.fields)) or any(is_doubtful(reply) for reply in earlier):
        return None
    said = facts.known_words | list_known_words(message.text for message in facts.reading.ours)
    if any(find_unread(reply, said) for reply in facts.reading.pending):
        return None
    if _seeks_information(facts) and not is_one_yes:
        return None
    today = newest.message.sent_at.astimezone(facts.zone).date()
    if names_other_facts(newest, facts.case_text, today):
        return _ask_about(facts, "agrees, but names a day or a figure that is not ours")
    if (claims_file(newest) or facts.wants_file) and not facts.reading.documents and not facts.is_file_waived:
        return ask_for_file(facts)
    if not sentence and not names_file(facts):
        return _ask_about(facts, UNKNOWN_FILE)
    passage = sentence or newest.sentences[0]
    message_id = newest.message.message_id
    if is_one_yes:
        values: dict[str, Any] = {**facts.gathered.result, missing[0].name: True}
        told: tuple[str, ...] = (missing[0].name,)
    else:
        values = {"summary": shorten(" ".join(newest.sentences), 500), "confirmed": True}
        told = tuple(values)
    if facts.schema is not None and facts.schema.check(values):
        return None
    return GoalAchieved(
        kind="GOAL_ACHIEVED",
        result=values,
        evidence=(
            *(facts.gathered.evidence if is_one_yes else ()),
            *(cite(name, message_id, passage) for name in told),
        ),
        rationale="They plainly confirmed, without condition or question.",
        confidence=0.8,
    )


def _seeks_information(facts: Facts) -> bool:
    """Say whether the objective is to learn something, which "confirmed" does not tell."""
    objective = fold(facts.view.objective)
    return bool(_LEARN.search(objective)) and not _AGREE.search(objective)


def _is_agreeing(field: WantedField) -> bool:
    words = {word.lower() for word in split_identifier(field.name)}
    return field.type == "boolean" and bool(words & _AGREEING) and not words & {"not", "no", "un", "non"}


def _judge_questions(facts: Facts) -> Verdict | None:
    questions = [question for reply in facts.reading.pending for question in find_questions(reply)]
    if not questions:
        return None
    answers = [answer_question(question, facts.view) for question in questions]
    open_ones = [question for question, answer in zip(questions, answers, strict=True) if answer is None]
    if open_ones:
        return ask_human(
            f"{name_them(facts)} asks: {quote_questions(open_ones)} "
            "Neither the case's knowledge nor an earlier answer holds this. What should I answer?",
            hint(facts),
            "A question that the public knowledge does not plainly answer.",
        )
    found = list(dict.fromkeys(answer for known in answers if known is not None for answer in known))
    return answer_them(facts, _phrase(found), "The public knowledge plainly answers what they asked.")


def _phrase(answers: list[Answer]) -> str:
    if len(answers) == 1:
        answer = answers[0]
        lead = "Thank you for asking." if not answer.topic else f"About the {_inline(answer.topic)}:"
        return f"{lead} {format_value(answer.text)}."
    lines = [
        f"- {answer.topic}: {format_value(answer.text)}" if answer.topic else f"- {answer.text}" for answer in answers
    ]
    return "Thank you for your questions. Here are the answers:\n\n" + "\n".join(lines)


def _inline(topic: str) -> str:
    first = topic.split(" ")[0]
    return topic if first.isupper() else topic[:1].lower() + topic[1:]


def _judge_waiting(facts: Facts) -> Verdict | None:
    newest = facts.reading.pending[-1]
    wait = find_wait(newest, facts.zone)
    if wait is None:
        return None
    is_plain = wait.is_absence or wait.is_promise or any(asks_only_for_time(part) for part in newest.folded)
    if not is_plain and _seeks_a_time(facts):
        return _ask_about(facts, "may be the day we asked for or a wish to wait until then")
    return judge_wait(facts, wait, newest.message.sent_at)


def _seeks_a_time(facts: Facts) -> bool:
    """Say whether a day can be the very answer to what we asked."""
    return any(field.format in ("date", "date-time") for field in facts.missing) or bool(
        _TIME_SOUGHT.search(fold(facts.view.objective))
    )


def _judge_files(facts: Facts) -> Verdict | None:
    pending = facts.reading.pending
    if claims_file(pending[-1]) and not facts.reading.documents:
        return ask_for_file(facts)
    files = [file.name for reply in pending for file in reply.documents]
    wanted = [field for field in facts.missing if field.name not in facts.unusable]
    if files and wanted:
        names = ", ".join(name_inline(field) for field in wanted)
        words = pending[-1].excerpt
        wrote = f" and wrote: {quote(words, 200)}" if words else "."
        return ask_human(
            f"{name_them(facts)} sent {', '.join(files)[:300]}{wrote} I cannot read files: please look for {names} "
            'and answer with one line for each, such as "'
            f'{wanted[0].label}: ...".',
            hint(facts, is_file=True),
            "The missing values may stand in a file, which the rules do not open.",
        )
    return None


def ask_for_file(facts: Facts) -> Verdict:
    """Return the kind request for the file, or after two in vain the question to a human."""
    requests = ["attach", *(" ".join(fold(text).split()) for text in (facts.ask.request, facts.ask.again))]
    if _count_same_asks(facts, lambda text: any(request in text for request in requests)) >= 2:
        if facts.is_complete:
            return ask_human(
                f"{name_them(facts)} gave every value, but no file has come, although we asked for it twice. The "
                f"newest message says: {quote(facts.reading.pending[-1].excerpt)} How should I go on?",
                hint(facts, "the file is not needed"),
                "The file is missing after two requests.",
            )
        return _ask_about(facts, "still brings no file, although we asked for it twice")
    paragraph = ask_for_file_again(facts.ask, is_claimed=any(claims_file(reply) for reply in facts.reading.pending))
    body = write_mail(facts.view, [paragraph])
    return ProposedReply(body=body, minimal="", rationale="A file is wanted, and none has arrived.")


def _judge_partial(facts: Facts) -> Verdict | None:
    newest = facts.reading.pending[-1]
    if "" in facts.faults and not facts.missing:
        return _ask_about(facts, f"does not make a result that the schema accepts ({facts.faults[''][:200]})")
    has_said = bool(facts.noted or facts.unusable) or (bool(facts.fields) and bool(find_confirmation(newest)))
    if not facts.missing or not has_said:
        return None
    labels = [" ".join(fold(field.label).split()) for field in facts.missing]
    if _count_same_asks(facts, lambda text: all(label in text for label in labels)) >= 2:
        names = ", ".join(name_inline(field) for field in facts.missing)
        return _ask_about(facts, f"still does not give {names}, although we asked twice")
    paragraph = ask_for_missing(facts.missing, facts.unusable, facts.noted)
    return ProposedReply(
        body=write_mail(facts.view, [paragraph]),
        minimal=write_mail(facts.view, [f"Thank you for your reply. {facts.ask.request}"]),
        rationale=f"Still missing: {', '.join(field.name for field in facts.missing)}.",
    )


def _count_same_asks(facts: Facts, asks: Callable[[str], bool]) -> int:
    """Return how many of our last two mails asked for this, when the second answered a mail of theirs.

    `asks` judges the folded text of a mail.
    """
    ours = facts.reading.ours[-2:]
    if len(ours) < 2:
        return 0
    between = [reply for reply in facts.reading.replies if ours[0].sent_at <= reply.message.sent_at <= ours[1].sent_at]
    asked = [message for message in ours if asks(" ".join(fold(message.text).split()))]
    return len(asked) if between else 0


def _judge_rest(facts: Facts) -> Verdict:
    newest = facts.reading.pending[-1]
    if find_redirect(newest):
        return _ask_about(facts, "points at somebody else, and I only write to the counterparty of this case")
    if is_only_thanks(newest):
        wait = Wait(until=None, is_absence=False, is_unclear=False, quote=newest.sentences[0])
        return judge_wait(facts, wait, newest.message.sent_at)
    return _ask_about(facts, "does not tell me whether this settles the matter")


def _ask_about(facts: Facts, what: str) -> InputNeeded:
    excerpt = quote(facts.reading.pending[-1].excerpt or "(no text)")
    return ask_human(
        f"{name_them(facts)} replied: {excerpt} This {what}. How should I go on?", hint(facts), f"The reply {what}."
    )
