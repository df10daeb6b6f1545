"""A table of bad bodies of POST /cases: each gets the right status and the envelope, and leaves no row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cases.models import Case, CaseEvent
from tests.cases.api.conftest import Api, make_body, read_error

MISSING = object()


def change(path: str, value: Any) -> dict[str, Any]:
    """Returns a good body with the member at `path` replaced, or taken out for MISSING."""
    body: dict[str, Any] = json.loads(json.dumps(make_body()))
    *parents, name = path.split(".")
    target = body
    for parent in parents:
        target = target.setdefault(parent, {})
    if value is MISSING:
        del target[name]
    else:
        target[name] = value
    return body


FAULTY_MEMBERS: list[tuple[str, Any, str]] = [
    ("channel", MISSING, "channel is required."),
    ("channel", None, "channel must be a string."),
    ("channel", "email", "channel must be EMAIL or SMS."),
    ("channel", "SMS", "channel is SMS, but no SMS provider is configured here; use EMAIL."),
    ("channel", ["EMAIL"], "channel must be a string."),
    ("goal", MISSING, "goal is required."),
    ("goal", None, "goal must be an object."),
    ("goal", "Collect the W-9", "goal must be an object."),
    ("goal", [], "goal must be an object."),
    ("goal.objective", MISSING, "goal.objective is required."),
    ("goal.objective", "", "goal.objective must not be empty."),
    ("goal.objective", " \n\t ", "goal.objective must not be empty."),
    ("goal.objective", 5, "goal.objective must be a string."),
    ("goal.objective", True, "goal.objective must be a string."),
    ("goal.objective", {"text": "x"}, "goal.objective must be a string."),
    ("goal.objective", "x" * 20_001, "goal.objective must have at most 20,000 characters."),
    ("goal.knowledge", 5, "goal.knowledge must be a string or an object, or left out."),
    ("goal.knowledge", ["a"], "goal.knowledge must be a string or an object, or left out."),
    ("goal.knowledge", None, "goal.knowledge must be a string or an object, or left out."),
    ("counterparty", MISSING, "counterparty is required."),
    ("counterparty", "maya@northstar.example", "counterparty must be an object."),
    ("counterparty.address", MISSING, "counterparty.address is required."),
    ("counterparty.address", None, "counterparty.address must be a string."),
    ("counterparty.address", 5, "counterparty.address must be a string."),
    ("counterparty.name", MISSING, "counterparty.name is required."),
    ("counterparty.name", "", "counterparty.name must not be empty."),
    ("counterparty.name", "\u200b\ufeff", "counterparty.name must not be empty."),
    ("counterparty.name", "Maya\r\nBcc: x@y.example", "counterparty.name must be one line without control characters."),
    ("counterparty.name", "Maya\u2028Chen", "counterparty.name must be one line without control characters."),
    ("counterparty.name", "Maya\x1b[31m", "counterparty.name must be one line without control characters."),
    ("counterparty.name", "Maya\u202enehC", "counterparty.name must be one line without control characters."),
    ("senderPersona.name", "Ana\u2066", "senderPersona.name must be one line without control characters."),
    ("counterparty.name", "Maya\x7f", "counterparty.name must be one line without control characters."),
    ("counterparty.name", "Maya\x85Chen", "counterparty.name must be one line without control characters."),
    ("counterparty.name", "M" * 201, "counterparty.name must have at most 200 characters."),
    ("counterparty.company", None, "counterparty.company must be a string, or left out."),
    ("counterparty.company", 7, "counterparty.company must be a string, or left out."),
    (
        "counterparty.timezone",
        "Mars/Olympus",
        "counterparty.timezone must be an IANA time zone, such as Europe/Berlin.",
    ),
    (
        "counterparty.timezone",
        "../etc/passwd",
        "counterparty.timezone must be an IANA time zone, such as Europe/Berlin.",
    ),
    # Files that Debian keeps beside the zones.
    ("counterparty.timezone", "localtime", "counterparty.timezone must be an IANA time zone, such as Europe/Berlin."),
    ("counterparty.timezone", "Factory", "counterparty.timezone must be an IANA time zone, such as Europe/Berlin."),
    ("counterparty.timezone", "", "counterparty.timezone must not be empty."),
    ("counterparty.timezone", 2, "counterparty.timezone must be a string, or left out."),
    ("counterparty.customData", "a=b", "counterparty.customData must be an object of strings, or left out."),
    ("counterparty.customData", {"po": 4711}, "counterparty.customData.po must be a string."),
    ("counterparty.customData", {"po": {"number": "4711"}}, "counterparty.customData.po must be a string."),
    ("senderPersona", MISSING, "senderPersona is required."),
    ("senderPersona", ["Ana"], "senderPersona must be an object."),
    ("senderPersona.name", MISSING, "senderPersona.name is required."),
    ("senderPersona.name", "\t", "senderPersona.name must not be empty."),
    ("senderPersona.role", False, "senderPersona.role must be a string, or left out."),
    ("senderPersona.tone", "warm\nand kind", "senderPersona.tone must be one line without control characters."),
    ("clientReferenceId", 4711, "clientReferenceId must be a string, or left out."),
    ("clientReferenceId", "r" * 501, "clientReferenceId must have at most 500 characters."),
    ("constraints", "Be kind", "constraints must be a list of strings, or left out."),
    ("constraints", {"0": "Be kind"}, "constraints must be a list of strings, or left out."),
    ("constraints", ["Be kind", 2], "constraints.1 must be a string."),
    ("constraints", ["Be kind", None], "constraints.1 must be a string."),
    ("constraints", [" "], "constraints.0 must not be empty."),
    ("constraints", ["x" * 2_001], "constraints.0 must have at most 2,000 characters."),
    ("constraints", ["x"] * 101, "constraints must have at most 100 members."),
    ("maxAttempts", -1, "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("maxAttempts", "3", "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("maxAttempts", True, "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("maxAttempts", 3.0, "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("maxAttempts", None, "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("maxAttempts", 2**40, "maxAttempts must be an integer from 0 to 1,000, or left out."),
    ("followUpDelayHours", 0, "followUpDelayHours must be an integer from 1 to 8,760, or left out."),
    ("followUpDelayHours", 0.5, "followUpDelayHours must be an integer from 1 to 8,760, or left out."),
    ("followUpDelayHours", 9_000, "followUpDelayHours must be an integer from 1 to 8,760, or left out."),
    ("resultSchema", [], "resultSchema must be an object, or left out."),
    ("resultSchema", True, "resultSchema must be an object, or left out."),
    ("metadata", "x", "metadata must be an object, or left out."),
    ("metadata", None, "metadata must be an object, or left out."),
    ("clientWebhookUrl", 5, "clientWebhookUrl must be a string, or left out."),
    ("clientWebhookUrl", "", "clientWebhookUrl must not be empty."),
    ("clientWebhookUrl", "https://x.example/" + "a" * 2_048, "clientWebhookUrl must have at most 2,048 characters."),
]


@pytest.mark.parametrize(("path", "value", "message"), FAULTY_MEMBERS)
def test_a_faulty_member_is_named_and_nothing_is_stored(api: Api, path: str, value: Any, message: str) -> None:
    response = api.post("/cases", change(path, value))

    error = read_error(response)
    assert (response.status_code, error["code"], error["message"]) == (400, "INVALID_REQUEST", message)
    assert [f"{fault['field']} {fault['message']}." for fault in error["details"]] == [message]
    assert (Case.objects.count(), CaseEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "maya",
        "@northstar.example",
        "maya@",
        "maya@localhost",
        "maya@northstar",
        "maya@[127.0.0.1]",
        "maya@[IPv6:::1]",
        "maya@10.0.0.10",
        "Maya Chen <maya@northstar.example>",
        "maya@northstar.example, ben@northstar.example",
        "maya@northstar.example;ben@northstar.example",
        "maya@ben@northstar.example",
        " maya@northstar.example",
        "maya@northstar.example\n",
        "maya@northstar.example\r\nBcc: ben@northstar.example",
        "ma ya@northstar.example",
        '"maya chen"@northstar.example',
        "mayä@northstar.example",
        "maya@north star.example",
        "maya@-northstar.example",
        "maya@mail.localhost",
        "maya@northstar.example.",
        "maya(work)@northstar.example",
        "mailto:maya@northstar.example",
        "maya@northstar..example",
        ".maya@northstar.example",
    ],
)
def test_what_is_not_exactly_one_public_address_is_refused(api: Api, address: str) -> None:
    response = api.post("/cases", change("counterparty.address", address))

    error = read_error(response)
    assert response.status_code == 400
    assert error["details"] == [
        {
            "field": "counterparty.address",
            "message": "must be exactly one e-mail address, such as maya@example.com, without a name around it",
        }
    ]
    assert Case.objects.count() == 0


@pytest.mark.parametrize(
    "address",
    [
        "maya@b\u00fccher.example",
        "maya@\u24ddorthstar.example",
        "maya@northst\u0430r.example",
        "maya@northstar.example\u200b",
        "maya@\u200bnorthstar.example",
        "maya@northstar.example\u2028",
    ],
)
def test_a_domain_that_is_not_ascii_is_refused_with_the_form_to_write_it_in(api: Api, address: str) -> None:
    response = api.post("/cases", change("counterparty.address", address))

    assert response.status_code == 400
    assert read_error(response)["message"] == (
        "counterparty.address must have its domain in ASCII; write an international one in its xn-- form, such as "
        "xn--bcher-kva.example."
    )
    assert Case.objects.count() == 0


def test_an_international_domain_in_its_ascii_form_is_taken(api: Api) -> None:
    response = api.post("/cases", change("counterparty.address", "maya@xn--bcher-kva.example"))

    assert response.status_code == 201
    assert Case.objects.get().counterparty_address == "maya@xn--bcher-kva.example"


def test_a_name_may_be_written_in_any_script(api: Api) -> None:
    name = "\u0645\u0627\u06cc\u0627 \u200f\u0639\u0644\u06cc\u200c\u067e\u0648\u0631 \U0001f469\u200d\U0001f4bb"

    response = api.post("/cases", change("counterparty.name", name))

    assert response.status_code == 201
    assert Case.objects.get().counterparty_name == name


@pytest.mark.parametrize(
    "address", ["m" * 65 + "@northstar.example", f"maya@{'n' * 60}.{'o' * 60}.{'p' * 60}.{'q' * 64}.ex"]
)
def test_an_address_that_no_mail_server_takes_is_refused_by_length(api: Api, address: str) -> None:
    response = api.post("/cases", change("counterparty.address", address))

    error = read_error(response)
    assert response.status_code == 400
    assert error["message"] == (
        "counterparty.address must be an e-mail address of at most 254 characters, 64 of them before the @."
    )
    assert Case.objects.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://hooks.example/",
        "hooks.example/in",
        "https://",
        "https://user:secret@hooks.example/",
        "https://hooks.example:99999/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: y",
    ],
)
def test_a_webhook_url_of_the_wrong_form_is_refused(api: Api, url: str) -> None:
    response = api.post("/cases", change("clientWebhookUrl", url))

    error = read_error(response)
    assert response.status_code == 400
    assert error["message"].startswith("clientWebhookUrl is refused: The URL")
    assert Case.objects.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/in",
        "http://127.0.0.1./in",
        "http://127.1/in",
        "http://0177.0.0.1/in",
        "http://0x7f000001/in",
        "http://2130706433/",
        "http://127\u30020\u30020\u30021/in",
        "http://\uff11\uff12\uff17.0.0.1/in",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest",
        "http://100.100.100.200/latest",
        "http://[::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
    ],
)
def test_a_webhook_url_into_our_own_network_is_refused_in_production(api: Api, settings: Any, url: str) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = False

    response = api.post("/cases", change("clientWebhookUrl", url))

    assert response.status_code == 400
    assert read_error(response)["message"] == (
        "clientWebhookUrl is refused: The URL leads to an address that is not public."
    )
    assert Case.objects.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST./",
        "http://\u24dbocalhost/",
        "http://hooks.localhost/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://nas.home.arpa/",
        "https://hooks/",
    ],
)
def test_a_webhook_url_with_a_name_of_the_inside_is_refused_in_production(api: Api, settings: Any, url: str) -> None:
    settings.OFFLOAD_WEBHOOK_ALLOW_PRIVATE = False

    response = api.post("/cases", change("clientWebhookUrl", url))

    assert response.status_code == 400
    assert read_error(response)["message"] == (
        "clientWebhookUrl is refused: The URL's host is a name that exists only inside a network."
    )
    assert Case.objects.count() == 0


def test_every_fault_of_a_body_is_told_at_once(api: Api) -> None:
    response = api.post("/cases", {"channel": "SMS", "goal": {}, "counterparty": {"name": 3}, "maxAttempts": -1})

    error = read_error(response)
    assert response.status_code == 400
    assert (
        error["message"]
        == "channel is SMS, but no SMS provider is configured here; use EMAIL (and 5 more; see details)."
    )
    assert [fault["field"] for fault in error["details"]] == [
        "channel",
        "goal.objective",
        "counterparty.address",
        "counterparty.name",
        "senderPersona",
        "maxAttempts",
    ]
    assert Case.objects.count() == 0


def test_the_list_of_faults_is_bounded(api: Api) -> None:
    response = api.post("/cases", change("counterparty.customData", {f"member {n}": n for n in range(500)}))

    error = read_error(response)
    assert len(error["details"]) == 100
    assert Case.objects.count() == 0


GOOD = json.dumps(make_body()).encode()

UNREADABLE: list[tuple[str, bytes, str, dict[str, str], int, str]] = [
    ("empty", b"", "application/json", {}, 400, "channel is required"),
    ("only spaces", b"  \n", "application/json", {}, 400, "The body is empty"),
    ("a lone brace", b"{", "application/json", {}, 400, "not valid JSON"),
    ("a trailing comma", b'{"channel": "EMAIL",}', "application/json", {}, 400, "not valid JSON"),
    ("two documents", GOOD + GOOD, "application/json", {}, 400, "not valid JSON"),
    ("a list", b"[]", "application/json", {}, 400, "must be a JSON object"),
    ("null", b"null", "application/json", {}, 400, "must be a JSON object"),
    ("a number", b"5", "application/json", {}, 400, "must be a JSON object"),
    ("a string", b'"x"', "application/json", {}, 400, "must be a JSON object"),
    ("not UTF-8", b'{"channel": "\xff"}', "application/json", {}, 400, "not UTF-8: byte 13"),
    ("UTF-16", GOOD.decode().encode("utf-16"), "application/json", {}, 400, "not UTF-8"),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, "application/json", {}, 400, "byte order mark"),
    ("a raw NUL", b'{"channel": "\x00"}', "application/json", {}, 400, "not valid JSON"),
    ("an escaped NUL", b'{"metadata": {"a": "x\\u0000y"}}', "application/json", {}, 400, "NUL character"),
    ("a NUL in a name", b'{"metadata": {"a\\u0000": "x"}}', "application/json", {}, 400, "NUL character"),
    ("half a surrogate pair", b'{"metadata": ["\\ud83d"]}', "application/json", {}, 400, "surrogate"),
    ("half a pair in a name", b'{"metadata": {"\\uDE00": 1}}', "application/json", {}, 400, "surrogate"),
    ("NaN", b'{"metadata": {"a": NaN}}', "application/json", {}, 400, "NaN is not a JSON number"),
    ("Infinity", b'{"metadata": {"a": -Infinity}}', "application/json", {}, 400, "Infinity is not a JSON number"),
    ("an endless float", b'{"metadata": {"a": 1e999}}', "application/json", {}, 400, "number that is too large"),
    ("65 bits", b'{"metadata": {"a": 9223372036854775808}}', "application/json", {}, 400, "64 bits"),
    ("5,000 digits", b'{"metadata": {"a": ' + b"9" * 5_000 + b"}}", "application/json", {}, 400, "64 bits"),
    ("a member twice", b'{"channel": "EMAIL", "channel": "SMS"}', "application/json", {}, 400, '"channel" twice'),
    ("33 levels", b'{"metadata":' * 33 + b"1" + b"}" * 33, "application/json", {}, 400, "nested too deeply"),
    ("100,000 levels", b"[" * 10_000 + b"]" * 10_000, "application/json", {}, 400, "nested too deeply"),
    ("20,001 values", b"[" + b"1," * 20_000 + b"1]", "application/json", {}, 400, "at most 20,000 values"),
    ("over 1 MB", b'{"a": "' + b"x" * 1_000_000 + b'"}', "application/json", {}, 413, "larger than 1 MB"),
    ("plain text", GOOD, "text/plain", {}, 415, "application/json"),
    ("a form", b"channel=EMAIL", "application/x-www-form-urlencoded", {}, 415, "application/json"),
    ("a multipart form", b"--x--", "multipart/form-data; boundary=x", {}, 415, "application/json"),
    ("XML", b"<a/>", "application/xml", {}, 415, "application/json"),
    ("no type", GOOD, "", {}, 415, "application/json"),
    ("a type like ours", GOOD, "application/json-seq", {}, 415, "application/json"),
    ("latin-1", GOOD, "application/json; charset=latin-1", {}, 415, "UTF-8"),
    ("a decompressor", GOOD, "application/json; charset=bz2_codec", {}, 415, "UTF-8"),
    ("an unknown charset", GOOD, "application/json; charset=x-klingon", {}, 415, "UTF-8"),
    ("gzip", GOOD, "application/json", {"HTTP_CONTENT_ENCODING": "gzip"}, 415, "uncompressed"),
    ("chunked", GOOD, "application/json", {"HTTP_TRANSFER_ENCODING": "chunked"}, 400, "Content-Length"),
]


@pytest.mark.parametrize(
    ("raw", "content_type", "headers", "status", "words"),
    [pytest.param(*row[1:], id=row[0]) for row in UNREADABLE],
)
def test_a_body_that_cannot_be_read_is_refused_and_nothing_is_stored(
    api: Api, raw: bytes, content_type: str, headers: dict[str, str], status: int, words: str
) -> None:
    response = api.send("POST", "/cases", raw=raw, content_type=content_type, **headers)

    error = read_error(response)
    codes = {400: "INVALID_REQUEST", 413: "PAYLOAD_TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}
    assert (response.status_code, error["code"]) == (status, codes[status])
    assert words in error["message"]
    assert (Case.objects.count(), CaseEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize("length", [0, len(GOOD) // 2])
def test_a_body_that_is_longer_than_announced_is_read_as_far_as_announced(api: Api, length: int) -> None:
    response = api.send("POST", "/cases", raw=GOOD, CONTENT_LENGTH=str(length))

    assert response.status_code == 400
    assert read_error(response)["code"] == "INVALID_REQUEST"
    assert Case.objects.count() == 0


def test_what_nobody_asked_for_is_ignored_and_never_stored(api: Api) -> None:
    extra = {
        "id": "5d1c0000-0000-4000-8000-000000000000",
        "status": "COMPLETED",
        "client": "somebody",
        "client_id": "somebody",
        "__proto__": {"status": "FAILED"},
        "attempt_count": 7,
    }

    response = api.post("/cases", change("goal.status", "COMPLETED") | extra)

    assert response.status_code == 201
    case = Case.objects.get()
    assert (case.status, case.attempt_count, case.client_id) == ("CREATED", 0, api.client.pk)
    assert str(case.id) != extra["id"]
    answer = api.get(f"/cases/{case.id}")
    assert set(json.loads(answer.content)["data"]["goal"]) == {"objective"}


def test_a_body_that_announces_more_than_1_mb_is_refused_before_it_is_read(api: Api) -> None:
    response = api.send("POST", "/cases", raw=GOOD, CONTENT_LENGTH="1000001")

    assert response.status_code == 413
    assert read_error(response)["code"] == "PAYLOAD_TOO_LARGE"
    assert Case.objects.count() == 0
