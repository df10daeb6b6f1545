"""The mails as Maya reads them; and that every one of them may leave."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cases.agent.decisions import InputNeeded
from cases.agent.guard import check_outgoing
from cases.agent.offline.agent import OfflineAgent
from cases.agent.protocol import CaseView, Draft, HumanAnswer, Persona
from tests.cases.agent.builders import NOW, build_view, our_mail, their_mail

AGENT = OfflineAgent()


def draft_outreach(view: CaseView) -> Draft:
    value = AGENT.draft_outreach(view).value
    assert isinstance(value, Draft), value
    return value


def draft_follow_up(view: CaseView) -> Draft:
    value = AGENT.draft_follow_up(view).value
    assert isinstance(value, Draft), value
    return value


def test_the_outreach_says_who_we_are_what_we_need_and_by_when() -> None:
    draft = draft_outreach(build_view(reason="outreach"))

    assert draft.subject == "Signed W-9 for Acme"
    assert draft.body == (
        "Hello Maya,\n\n"
        "I am Alex Kim, Accounts Payable at Acme. Could you please send me a signed W-9?\n\n"
        "Please attach it to your reply, as a PDF or a clear scan.\n\n"
        "So that I can enter everything correctly, please also fill in these lines in your reply:\n\n"
        "- Legal name (as shown on the income tax return):\n"
        "- EIN:\n"
        "- Tax classification (sole proprietor, partnership, s corporation or LLC):\n\n"
        "We need this by 15 December 2026. Our PO number is PO-4711.\n\n"
        "If anything is unclear, just reply to this e-mail and I will help.\n\n"
        "Thank you very much.\n\n"
        "Best regards,\nAlex Kim\nAccounts Payable, Acme"
    )


@pytest.mark.parametrize(
    ("tone", "greeting", "request_text", "close"),
    [
        ("", "Hello Maya,", "Could you please send me a signed W-9?", "Best regards,"),
        ("professional", "Hello Maya,", "Could you please send me a signed W-9?", "Best regards,"),
        ("formal", "Dear Maya Lin,", "I would be grateful if you could send me a signed W-9.", "Yours sincerely,"),
        ("warm and friendly", "Hi Maya,", "Could you please send me a signed W-9?", "Thanks and best wishes,"),
        ("informal", "Hi Maya,", "Could you please send me a signed W-9?", "Thanks and best wishes,"),
    ],
)
def test_the_tone_changes_how_it_sounds(tone: str, greeting: str, request_text: str, close: str) -> None:
    draft = draft_outreach(build_view(persona=Persona("Alex Kim", "AP", "Acme", tone)))

    assert draft.body.startswith(greeting + "\n\n")
    assert request_text in draft.body
    assert draft.body.endswith(f"\n\n{close}\nAlex Kim\nAP, Acme")


def test_one_field_that_the_request_names_needs_no_list() -> None:
    schema = {"properties": {"deliveryDate": {"type": "string", "format": "date"}}}
    draft = draft_outreach(build_view(objective="Confirm the delivery date for order 4711", result_schema=schema))

    assert 'A short reply such as "Delivery date: ..." is all I need.' in draft.body
    assert "- Delivery date" not in draft.body


def test_fields_carry_what_helps_and_not_what_was_written_for_a_program() -> None:
    schema = {
        "properties": {
            "amount": {"type": "number", "description": "Extract the total from the invoice"},
            "approved": {"type": "boolean"},
            "due": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "w9Received": {"type": "boolean"},
            "note": {"type": "string"},
        },
        "required": ["amount", "approved", "due", "tags", "w9Received"],
    }
    body = draft_outreach(build_view(objective="Clarify the open invoice", result_schema=schema)).body

    listed = [line for line in body.split("\n") if line.startswith("- ")]
    assert listed == [
        "- Amount:",
        "- Approved (yes or no):",
        "- Due (with day, month and year):",
        "- Tags (separated by commas):",
        "- Note (optional):",
    ]


def test_a_team_is_greeted_without_a_first_name() -> None:
    assert draft_outreach(build_view(counterparty_name="Billing Team")).body.startswith("Hello,\n\n")


@pytest.mark.parametrize("objective", ["", "W-9", " \u200b "])
def test_an_objective_that_says_nothing_is_asked_about(objective: str) -> None:
    value = AGENT.draft_outreach(build_view(objective=objective, reason="outreach")).value

    assert isinstance(value, InputNeeded)
    assert "does not say what to ask for. What should I write to them about?" in value.question


def test_the_answer_to_that_question_becomes_the_request() -> None:
    answers = (HumanAnswer("What?", "Collect your signed NDA", NOW),)
    draft = draft_outreach(build_view(objective="NDA", reason="outreach", human_answers=answers))

    assert "Could you please send me your signed NDA?" in draft.body


def test_constraints_are_never_quoted() -> None:
    draft = draft_outreach(build_view(constraints=("Never mention the audit", "Be brief")))

    assert "audit" not in draft.body
    assert "brief" not in draft.body.lower()


def test_a_wording_that_may_not_leave_gives_way_to_a_smaller_one() -> None:
    schema = {"properties": {"a": {"type": "string", "title": "Name", "description": "<b>name</b>"}}}
    outcome = AGENT.draft_outreach(build_view(result_schema=schema))

    assert isinstance(outcome.value, Draft)
    assert "Could you please send me a signed W-9?" in outcome.value.body
    assert "Name" not in outcome.value.body
    assert outcome.audit.guard_hits == ("markup: HTML; the mail is plain text",)


def test_a_secret_among_the_public_words_does_not_leave() -> None:
    view = build_view(knowledge={"deadline": "2026-12-15"}, private_knowledge={"alias": "clear scan"})
    outcome = AGENT.draft_outreach(view)

    assert isinstance(outcome.value, Draft)
    assert "clear scan" not in outcome.value.body
    assert check_outgoing(outcome.value.body, outcome.value.subject, view) == []
    assert outcome.audit.guard_hits == ("private: something of the private knowledge",)


def test_where_no_wording_may_leave_a_human_is_asked_and_the_answer_is_sent() -> None:
    view = build_view(objective="Collect <b>everything</b> from Maya", knowledge=None, result_schema=None)
    outcome = AGENT.draft_outreach(view)

    assert isinstance(outcome.value, InputNeeded)
    assert outcome.value.question == (
        "I could not write a message that passes the checks on outgoing mail (markup). Which words may I send them? "
        "You can write the text of the message, which is sent as you write it."
    )
    answers = (HumanAnswer(outcome.value.question, "Could you please send us all forms?", NOW),)
    draft = draft_outreach(build_view(objective=view.objective, result_schema=None, human_answers=answers))
    assert draft.subject == "A request from Acme"
    assert "Hello Maya,\n\nCould you please send us all forms?\n\n" in draft.body


def test_follow_ups_differ_grow_firmer_and_the_last_says_so() -> None:
    thread = (our_mail(days_ago=9),)
    views = [build_view(reason="follow_up", thread=thread, follow_ups_sent=n, max_attempts=4) for n in range(4)]
    drafts = [draft_follow_up(view) for view in views]

    openings = [draft.body.split("\n\n")[1] for draft in drafts]
    assert openings == [
        "This is a short reminder about the signed W-9. Could you please send this to me in the next few days?",
        (
            "I am writing again about the signed W-9, as I have had no answer to my message of 15 November yet. "
            "Could you please send this to me in the next few days?"
        ),
        "I am following up once more on the signed W-9. Could you please send this to me in the next few days?",
        "This is my last message about the signed W-9. Could you please send me a signed W-9?",
    ]
    assert {draft.subject for draft in drafts} == {"Re: Signed W-9 for Acme"}
    assert len({draft.body for draft in drafts}) == 4
    assert "close this on our side" in drafts[-1].body


def test_a_follow_up_asks_only_for_what_is_missing() -> None:
    thread = (our_mail(days_ago=9), their_mail("Legal name: Northstar LLC\nTax classification: LLC", days_ago=8))
    body = draft_follow_up(build_view(reason="follow_up", thread=thread)).body

    assert "Thank you for what you have sent so far. Still missing:\n\n- EIN:\n\n" in body
    assert "Legal name" not in body


def test_the_subject_of_a_follow_up_is_one_line_with_one_re() -> None:
    mail = our_mail()
    thread = (type(mail)(mail.message_id, "us", "Alex", NOW - timedelta(days=3), "RE: Aw: re: W-9\r\nBcc: x", "Hi"),)

    assert draft_follow_up(build_view(thread=thread)).subject == "Re: W-9 Bcc: x"


@pytest.mark.parametrize(
    "changes",
    [
        {"counterparty_name": "Maya\u202e Lin\u200b", "persona": Persona("Alex\u200d", "AP\n", "Ac\u00adme")},
        {"objective": "Collect a signed W-9\u202e from Maya\u2028 now"},
        {"knowledge": "Deadline: Friday\nReference: \u200bR-1"},
        {"result_schema": {"properties": {"a": {"title": "A\u200b \n B", "description": "c\u202ed"}}}},
    ],
)
def test_invisible_characters_of_a_case_do_not_reach_the_mail(changes: dict[str, Any]) -> None:
    view = build_view(**changes)

    assert AGENT.draft_outreach(view).audit.guard_hits == ()
    assert AGENT.draft_follow_up(view).audit.guard_hits == ()


def test_the_audit_says_that_these_are_rules() -> None:
    view = build_view(thread=(our_mail(), their_mail("Confirmed.")))
    first, second = AGENT.evaluate(view).audit, AGENT.evaluate(view).audit

    assert (first.implementation, first.model_asked, first.prompt_version) == ("offline", "rules", "offline-1")
    assert (first.tokens_in, first.tokens_out, first.cost_usd, first.reasks) == (0, 0, Decimal(0), ())
    assert first.message_ids == ("<us-1@acme>", "<them-1@northstar>")
    assert first.prompt_hash == second.prompt_hash
    assert first.prompt_hash != AGENT.evaluate(build_view()).audit.prompt_hash
