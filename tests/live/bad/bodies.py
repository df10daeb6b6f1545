"""Bad bodies of POST /cases: members, addresses, webhook URLs, and what is no JSON; must not send anything."""

from __future__ import annotations

import json
from typing import Any

from tests.live.bad.request import (
    GOOD,
    INVALID,
    MEDIA_TYPE,
    MISSING,
    TOO_LARGE,
    BadRequest,
    change,
)


def member(path: str, value: Any, says: str, *, at: str = "") -> BadRequest:
    shown = "missing" if value is MISSING else json.dumps(value)[:50]
    return BadRequest(f"{path} {shown}", says=says, fields=(at or path,), body=change(path, value))


MEMBERS = [
    member("channel", MISSING, "is required"),
    member("channel", None, "must be a string"),
    member("channel", 1, "must be a string"),
    member("channel", "email", "must be EMAIL or SMS"),
    member("channel", "SMS", "no SMS provider"),
    member("goal", MISSING, "is required"),
    member("goal", "Collect the W-9", "must be an object"),
    member("goal", [], "must be an object"),
    member("goal.objective", MISSING, "is required"),
    member("goal.objective", " \n\t ", "must not be empty"),
    member("goal.objective", 5, "must be a string"),
    member("goal.objective", {"text": "x"}, "must be a string"),
    member("goal.objective", "x" * 20_001, "at most 20,000"),
    member("goal.knowledge", ["a"], "a string or an object"),
    member("goal.knowledge", None, "a string or an object"),
    member("counterparty", MISSING, "is required"),
    member("counterparty", "maya@northstar.example", "must be an object"),
    member("counterparty.address", MISSING, "is required"),
    member("counterparty.address", ["maya@northstar.example"], "must be a string"),
    member("counterparty.name", MISSING, "is required"),
    member("counterparty.name", "Maya\r\nBcc: x@y.example", "control characters"),
    member("counterparty.name", "Maya\u2028Chen", "control characters"),
    member("counterparty.name", "Maya\x1b[31m", "control characters"),
    member("counterparty.name", "Maya\x7f", "control characters"),
    member("counterparty.name", "M" * 201, "at most 200"),
    member("counterparty.company", 7, "must be a string"),
    member("counterparty.timezone", "Mars/Olympus", "IANA"),
    member("counterparty.timezone", "../../etc/passwd", "IANA"),
    member("counterparty.customData", "a=b", "must be an object"),
    member("counterparty.customData", {"po": 4711}, "must be a string", at="counterparty.customData.po"),
    member("senderPersona", MISSING, "is required"),
    member("senderPersona", ["Ana"], "must be an object"),
    member("senderPersona.name", MISSING, "is required"),
    member("senderPersona.role", False, "must be a string"),
    member("senderPersona.tone", "warm\nand kind", "control characters"),
    member("clientReferenceId", 4711, "must be a string"),
    member("clientReferenceId", "r" * 501, "at most 500"),
    member("constraints", "Be kind", "a list of strings"),
    member("constraints", ["Be kind", 2], "must be a string", at="constraints.1"),
    member("constraints", ["x"] * 101, "at most 100"),
    member("maxAttempts", -1, "from 0 to 1,000"),
    member("maxAttempts", "3", "from 0 to 1,000"),
    member("maxAttempts", True, "from 0 to 1,000"),
    member("maxAttempts", 3.0, "from 0 to 1,000"),
    member("maxAttempts", 2**62, "from 0 to 1,000"),
    member("followUpDelayHours", 0, "from 1 to 8,760"),
    member("followUpDelayHours", 0.5, "from 1 to 8,760"),
    member("resultSchema", True, "must be an object"),
    member("resultSchema", [], "must be an object"),
    member("metadata", "x", "must be an object"),
    member("metadata", None, "must be an object"),
    BadRequest(
        "every fault at once",
        says="channel is SMS",
        fields=(
            "channel",
            "goal.objective",
            "counterparty.address",
            "counterparty.name",
            "senderPersona",
            "maxAttempts",
        ),
        body=b'{"channel": "SMS", "goal": {}, "counterparty": {"name": 3}, "maxAttempts": -1}',
    ),
]

ADDRESSES = [
    member("counterparty.address", address, "one e-mail address")
    for address in (
        "",
        "maya",
        "maya@",
        "maya@localhost",
        "maya@[127.0.0.1]",
        "maya@[IPv6:::1]",
        "maya@10.0.0.10",
        "Maya Chen <maya@northstar.example>",
        "maya@northstar.example, ben@northstar.example",
        "maya@northstar.example;ben@northstar.example",
        "maya@northstar.example\r\nBcc: ben@northstar.example",
        "maya@northstar.example\n",
        '"maya chen"@northstar.example',
        "maya@north star.example",
    )
]

WEBHOOK_URLS = [
    member("clientWebhookUrl", url, says)
    for url, says in (
        ("", "must not be empty"),
        (5, "must be a string"),
        ("javascript:alert(1)", "http://"),
        ("file:///etc/passwd", "http://"),
        ("ftp://hooks.example/", "http://"),
        ("hooks.example/in", "http://"),
        ("https://user:secret@hooks.example/", "user name"),
        ("https://hooks.example/\r\nX: y", "control character"),
        ("https://hooks.example:99999/", "port"),
        ("https://hooks.example:22/", "port"),
        ("https://", "host"),
        ("http://127.0.0.1/in", "not public"),
        ("http://localhost/in", "inside a network"),
        ("http://10.0.0.8/in", "not public"),
        ("http://169.254.169.254/latest/meta-data", "not public"),
        ("http://[::1]/", "not public"),
        ("http://[::ffff:10.0.0.1]/", "not public"),
        ("http://2130706433/", "not public"),
        ("http://0x7f.1/", "not public"),
        ("https://x.example/" + "a" * 2_048, "at most 2,048"),
    )
]


def body(name: str, raw: bytes, says: str, status: int = 400, code: str = INVALID, **headers: str | None) -> BadRequest:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return BadRequest(name, status, code, says, body=raw, headers=named)


DEEP = b'{"metadata":' * 33 + b"1" + b"}" * 33
BODIES = [
    BadRequest("an empty body", says="required", fields=("channel", "goal", "counterparty", "senderPersona")),
    body("only spaces", b"  \n", "empty"),
    body("a lone brace", b"{", "not valid JSON"),
    body("a trailing comma", b'{"channel": "EMAIL",}', "not valid JSON"),
    body("single quotes", b"{'channel': 'EMAIL'}", "not valid JSON"),
    body("two documents", GOOD + GOOD, "not valid JSON"),
    body("a comment", b"// case\n" + GOOD, "not valid JSON"),
    body("a list", b"[" + GOOD + b"]", "must be a JSON object"),
    body("null", b"null", "must be a JSON object"),
    body("a number", b"5", "must be a JSON object"),
    body("a string", b'"EMAIL"', "must be a JSON object"),
    body("bytes that are no UTF-8", b'{"channel": "\xff"}', "not UTF-8"),
    body("UTF-16", GOOD.decode().encode("utf-16"), "not UTF-8"),
    body("a byte order mark", b"\xef\xbb\xbf" + GOOD, "byte order mark"),
    body("a raw NUL", b'{"channel": "\x00"}', "not valid JSON"),
    body("an escaped NUL", b'{"metadata": {"a": "x\\u0000y"}}', "NUL"),
    body("a NUL in a name", b'{"metadata": {"a\\u0000": "x"}}', "NUL"),
    body("half a surrogate pair", b'{"metadata": {"a": "\\ud83d"}}', "surrogate"),
    body("half a pair in a name", b'{"metadata": {"\\uDE00": 1}}', "surrogate"),
    body("a surrogate as UTF-8", b'{"metadata": {"a": "\xed\xa0\x80"}}', "not UTF-8"),
    body("NaN", b'{"metadata": {"a": NaN}}', "NaN"),
    body("Infinity", b'{"metadata": {"a": -Infinity}}', "Infinity"),
    body("a float beyond all bounds", b'{"metadata": {"a": 1e999}}', "too large"),
    body("an integer of 65 bits", b'{"metadata": {"a": 9223372036854775808}}', "64 bits"),
    body("an integer of 100,000 digits", b'{"maxAttempts": ' + b"9" * 100_000 + b"}", "64 bits"),
    body("a member twice", b'{"channel": "EMAIL", "channel": "SMS"}', "twice"),
    body("a member twice, deep inside", b'{"metadata": {"a": [{"b": 1, "\\u0062": 2}]}}', "twice"),
    body("33 levels", DEEP, "nested too deeply"),
    body("10,000 levels", b"[" * 10_000, "nested too deeply"),
    body("20,001 values", b'{"metadata": [' + b"1," * 20_000 + b"1]}", "20,000 values"),
    body("over 1 MB", b'{"a": "' + b"x" * 1_000_000 + b'"}', "1 MB", 413, TOO_LARGE),
    body("plain text", GOOD, "application/json", 415, MEDIA_TYPE, Content_Type="text/plain"),
    body("a form", b"channel=EMAIL", "json", 415, MEDIA_TYPE, Content_Type="application/x-www-form-urlencoded"),
    body("a multipart form", b"--x--", "json", 415, MEDIA_TYPE, Content_Type="multipart/form-data; boundary=x"),
    body("a multipart form without end", b"--x", "json", 415, MEDIA_TYPE, Content_Type="multipart/form-data"),
    body("XML", b"<a/>", "application/json", 415, MEDIA_TYPE, Content_Type="application/xml"),
    body("no content type", GOOD, "application/json", 415, MEDIA_TYPE, Content_Type=None),
    body("a content type that is none", GOOD, "application/json", 415, MEDIA_TYPE, Content_Type="json"),
    body("latin-1", GOOD, "UTF-8", 415, MEDIA_TYPE, Content_Type="application/json; charset=latin-1"),
    body("UTF-16 by name", GOOD, "UTF-8", 415, MEDIA_TYPE, Content_Type="application/json; charset=utf-16"),
    body("a decompressor", GOOD, "UTF-8", 415, MEDIA_TYPE, Content_Type="application/json; charset=bz2_codec"),
    body("an unknown charset", GOOD, "UTF-8", 415, MEDIA_TYPE, Content_Type="application/json; charset=x-klingon"),
    body("gzip", GOOD, "uncompressed", 415, MEDIA_TYPE, Content_Encoding="gzip"),
    body("brotli", GOOD, "uncompressed", 415, MEDIA_TYPE, Content_Encoding="br"),
    BadRequest(
        "chunked",
        says="Content-Length",
        body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD),
        headers={"Transfer-Encoding": "chunked"},
        length="",
    ),
    BadRequest(
        "chunked, over 1 MB",
        says="Content-Length",
        body=b"%x\r\n%b\r\n0\r\n\r\n" % (1_100_000, b"x" * 1_100_000),
        headers={"Transfer-Encoding": "chunked"},
        length="",
    ),
    BadRequest("over 1 MB announced, nothing sent", 413, TOO_LARGE, "1 MB", length="1000001"),
    BadRequest("10 GB announced", 413, TOO_LARGE, "1 MB", body=GOOD, length="10000000000"),
    body("100,000 levels", b"[" * 100_000, "20,000 values"),
    BadRequest(
        "no length at all", says="required", fields=("channel", "goal", "counterparty", "senderPersona"), length=""
    ),
]
