"""Machines are told from people, and a person is never taken for a machine."""

import time

import pytest

from agentmail.automatic import AutomaticKind, classify_automatic

NONE = AutomaticKind.NONE
AUTOREPLY = AutomaticKind.AUTOREPLY
OUT_OF_OFFICE = AutomaticKind.OUT_OF_OFFICE
ACKNOWLEDGEMENT = AutomaticKind.ACKNOWLEDGEMENT
DELIVERY_REPORT = AutomaticKind.DELIVERY_REPORT


def classify(
    subject: str = "Re: Your W-9 form",
    text: str = "Here it is.",
    sender: str = "maya@northwind.example",
    **headers: str,
) -> AutomaticKind:
    return classify_automatic(
        from_address=sender,
        subject=subject,
        text=text,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        own_addresses=("Agent@offload.example",),
    )


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Your W-9 form", "Here it is."),
        ("Re: Automatic payments", "Yes, we switched to automatic payments."),
        ("Automatic payments", "Please set them up."),
        ("Automatic replies in our shop", "We should talk about them."),
        ("Re: Automatic reply: Your W-9 form", "Sorry about that machine. The form is attached."),
        ("AW: Abwesenheitsnotiz: Termin", "Ich bin wieder da, Dienstag passt."),
        ("Re: Out of office", "I am back. Tuesday works."),
        ("Out of office next week, can we move the call?", "Wednesday would be better."),
        ("Absences in March", "Here is the list."),
        ("Ausencia de facturas", "Faltan dos facturas."),
        ("Re: Your W-9 form", "I am out of the office until Monday, but here it is: 12-3456789."),
        ("Re: Your W-9 form", "Ich bin im Urlaub, Frau Kern schickt Ihnen das Formular."),
        ("Re: [Ticket #4411] W-9 request", "Hi, our W-9 is attached. Regards, Sam"),
        ("[Ticket #4411] W-9 request", "We have received your request. The total is 2,450 EUR. Regards, Sam"),
        ("[Ticket #4411] W-9 request", "We have received your request: yes, confirmed for Tuesday."),
        ("[Ticket #4411] W-9 request", "We have received your request. Thank you, Tuesday is confirmed."),
        ("Re: Your W-9 form", "We have received your request and will get back to you on Friday."),
        ("", ""),
    ],
)
def test_a_person_is_not_taken_for_a_machine(subject: str, text: str) -> None:
    assert classify(subject, text) is NONE


@pytest.mark.parametrize(
    "headers",
    [
        {"list_id": "<finance.northwind.example>", "precedence": "list", "list_unsubscribe": "<mailto:x@y.example>"},
        {"x_auto_response_suppress": "All"},
        {"auto_submitted": "no"},
        {"auto_submitted": " No ; owner-email=x@y.example"},
        {"auto_submitted": ""},
        {"x_autoreply": "no"},
        {"precedence": "normal"},
        {"return_path": "<maya@northwind.example>"},
        {"content_type": "multipart/mixed"},
        {"feedback_id": "1:2:3"},
    ],
)
def test_headers_that_people_send_too_decide_nothing(headers: dict[str, str]) -> None:
    assert classify(**headers) is NONE


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-replied"},
        {"auto_submitted": "Auto-Generated; x=y"},
        {"auto_submitted": "auto-notified"},
        {"x_autoreply": "yes"},
        {"x_autorespond": "Your W-9 form"},
        {"x_auto_response": "1"},
        {"precedence": "bulk"},
        {"precedence": " Auto_Reply "},
        {"precedence": "junk"},
        {"return_path": "<>"},
    ],
)
def test_a_header_that_only_machines_send_makes_an_autoreply(headers: dict[str, str]) -> None:
    assert classify(**headers) is AUTOREPLY


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Your W-9 form",
        "Auto-Reply: Your W-9 form",
        "Autoreply: thanks",
        "Automated response",
        "Automatische Antwort: Ihr Formular",
        "Réponse automatique : votre formulaire",
        "Re\N{COMBINING ACUTE ACCENT}ponse automatique : votre formulaire",
        "Respuesta automática: su formulario",
        "Risposta automatica: il modulo",
        "Automatisch antwoord: uw formulier",
        "Resposta automática: o formulário",
        "Automatiskt svar: blanketten",
        "Autosvar: blanketten",
        "Automatyczna odpowiedź: formularz",
        "Odpowiedź automatyczna: formularz",
    ],
)
def test_a_subject_that_machines_write_is_enough_in_nine_languages(subject: str) -> None:
    assert classify(subject, "Thank you for writing.") is AUTOREPLY


@pytest.mark.parametrize(
    "subject",
    [
        "Out of Office: Your W-9 form",
        "Out of Office Re: Your W-9 form",
        "Out of Office AutoReply: Your W-9 form",
        "OOO: Your W-9 form",
        "Out of the office",
        "Automatic reply: Out of office",
        "Abwesenheitsnotiz: Ihr Formular",
        "Abwesend: Ihr Formular",
        "Absence du bureau : votre formulaire",
        "Message d’absence",  # noqa: RUF001 - as French keyboards write it
        "Fuera de la oficina: su formulario",
        "Fuori ufficio: il modulo",
        "Afwezig: uw formulier",
        "Niet op kantoor: uw formulier",
        "Fora do escritório: o formulário",
        "Frånvaro: blanketten",
        "Poza biurem: formularz",
        "Nieobecność: formularz",
    ],
)
def test_a_subject_can_tell_an_absence(subject: str) -> None:
    assert classify(subject, "Thank you for writing.") is OUT_OF_OFFICE


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office until 1 December with limited access to email.",
        "I'm on annual leave and will return on 1 December.",
        "I’m on vacation.",  # noqa: RUF001 - as phones write it
        "Ich bin bis zum 1.12. nicht im Büro.",
        "Ich bin im Urlaub und am 1.12. wieder erreichbar.",
        "Je suis absente du bureau jusqu'au 1er décembre.",
        "Actuellement en congés, de retour le 1er décembre.",
        "Estoy de vacaciones hasta el 1 de diciembre.",
        "Sono in ferie fino al 1 dicembre.",
        "Ik ben op vakantie tot 1 december.",
        "Estou de férias até 1 de dezembro.",
        "Jag är på semester till den 1 december.",
        "Jestem na urlopie do 1 grudnia.",
    ],
)
def test_the_text_of_an_automatic_mail_can_tell_an_absence(text: str) -> None:
    assert classify("Re: Your W-9 form", text, auto_submitted="auto-replied") is OUT_OF_OFFICE
    assert classify("Automatic reply: Your W-9 form", text) is OUT_OF_OFFICE


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("[Ticket #4411] Your W-9 form", "We have received your request and will get back to you soon."),
        (
            "[Ticket #4411] Your W-9 form",
            "Hello Ada,\n\nwe have received your request.\n\nKind regards\nThe support team",
        ),
        ("[Ticket #4411] Your W-9 form", "We have received your request (#4411). Thank you for your patience."),
        ("[Ticket #4411] Your W-9 form", "We've received your message. Our team will review it."),
        ("Request received (Case: 00123)", "Your request has been received. This is an automated message."),
        ("[#A-123] W-9", "Your ticket has been created. Please do not reply to this email."),
        ("[Vorgang 4711] W-9", "Wir haben Ihre Anfrage erhalten und melden uns schnellstmöglich."),
        ("[Ticket #9] W-9", "Nous avons bien reçu votre demande. Réponse dans les plus brefs délais."),
        ("W-9", "Your ticket number: 4411. We have received your inquiry and will respond within two days."),
        ("[Ticket #4411] We have received your request", "An agent will contact you."),
    ],
)
def test_the_receipt_of_a_ticket_system_is_an_acknowledgement(subject: str, text: str) -> None:
    assert classify(subject, text) is ACKNOWLEDGEMENT


def test_a_ticket_number_makes_an_automatic_mail_an_acknowledgement() -> None:
    assert classify("[Ticket #4411] W-9", "Thanks.", auto_submitted="auto-generated") is ACKNOWLEDGEMENT


@pytest.mark.parametrize(
    ("sender", "subject", "headers"),
    [
        ("MAILER-DAEMON@mx.example", "Undelivered Mail Returned to Sender", {}),
        ("mailer-daemon@googlemail.com", "anything", {}),
        ("postmaster@northwind.example", "Undeliverable: Your W-9 form", {}),
        ("bounce@mx.example", "Mail delivery failed", {"return_path": "<>"}),
        ("x@mx.example", "Your W-9 form", {"content_type": 'multipart/report; report-type="delivery-status"'}),
        ("x@mx.example", "Your W-9 form", {"x_failed_recipients": "maya@northwind.example"}),
    ],
)
def test_a_delivery_report_is_told_apart(sender: str, subject: str, headers: dict[str, str]) -> None:
    assert classify(subject, "It could not be delivered.", sender, **headers) is DELIVERY_REPORT


def test_a_postmaster_can_be_a_person() -> None:
    assert classify(sender="postmaster@northwind.example") is NONE


def test_our_own_mail_is_known_by_its_address_before_all_else() -> None:
    assert classify(sender=" AGENT@offload.example", auto_submitted="auto-generated") is AutomaticKind.OWN_ADDRESS


@pytest.mark.parametrize(
    "piece", ["your request ", "[ticket ", "we have ", "a" * 50, "ihre anfrage ", "\ufdfa", "ticket #"]
)
def test_hostile_text_is_classified_in_no_time(piece: str) -> None:
    begun = time.process_time()

    classify(piece * 50_000, piece * 50_000)

    assert time.process_time() - begun < 0.5
