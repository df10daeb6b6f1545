"""Bad requests beside the body of POST /cases: routes, ids, methods, queries, headers, keys; must not send anything."""

from __future__ import annotations

import json
from typing import Any

from tests.live.bad.request import (
    CASE_NOT_FOUND,
    GOOD,
    INVALID,
    METHOD,
    MISSING,
    NOBODY,
    NOT_FOUND,
    TOO_LARGE,
    UNUSED_KEY,
    BadRequest,
    change,
)


def on(path: str, name: str, status: int, code: str, says: str = "", method: str = "GET", **more: Any) -> BadRequest:
    return BadRequest(f"{method} {name}", status, code, says, method=method, path=path, **more)


ROUTES = [
    on("/", "the root as the API", 403, "FORBIDDEN", method="POST", body=GOOD),
    on("/livez", "a health check", 405, "METHOD_NOT_ALLOWED", method="POST", body=GOOD),
    on("/case", "an unknown route", 404, NOT_FOUND),
    on("/case", "an unknown route", 404, NOT_FOUND, method="POST", body=GOOD),
    on("/CASES", "capitals", 404, NOT_FOUND),
    on("/cases/", "a slash at the end", 404, NOT_FOUND),
    on("//cases", "two slashes", 404, NOT_FOUND),
    on("/cases//input", "an empty id", 404, NOT_FOUND),
    on("/cases/..;/admin/", "a path parameter", 404, NOT_FOUND),
    on("/cases/../admin/", "dots", 404, NOT_FOUND),
    on("/cases/%2e%2e/admin/", "encoded dots", 404, NOT_FOUND),
    on("/cases/ASKING/", "a case with a slash", 404, NOT_FOUND),
    on("/cases/ASKING/transcript", "an unknown part of a case", 404, NOT_FOUND),
    on("/cases/ASKING/attachments", "no attachment's id", 404, NOT_FOUND),
    on("/cases/%00", "NUL as an id", 404, CASE_NOT_FOUND),
    on("/cases/%ff%fe", "an id that is no UTF-8", 404, CASE_NOT_FOUND),
    on("/cases/%0d%0aX-Injected:%20yes", "line ends as an id", 404, CASE_NOT_FOUND),
    on("/cases/1", "a number as an id", 404, CASE_NOT_FOUND),
    on("/cases/" + "a" * 3_000, "a long id", 404, CASE_NOT_FOUND),
    on("/cases/%7B7c9e6679-7425-40de-944b-e07fc1f90ae7%7D", "a UUID in braces", 404, CASE_NOT_FOUND),
    on("/cases/7c9e6679742540de944be07fc1f90ae7", "a UUID without hyphens", 404, CASE_NOT_FOUND),
    on("/cases/%27%20OR%201=1--", "SQL as an id", 404, CASE_NOT_FOUND),
    on(NOBODY, "nobody's case", 404, CASE_NOT_FOUND),
    on("/cases/THEIRS", "another client's case", 403, "FORBIDDEN", "another client"),
    on(NOBODY + "?%00=%ff&a=%", "nobody's case with an odd query", 404, CASE_NOT_FOUND),
    on("/cases/ASKING?expand=history", "an unknown expand", 400, INVALID, "expand must be", fields=("expand",)),
    on("/cases/ASKING?expand=", "an empty expand", 400, INVALID, "expand must be", fields=("expand",)),
    on("/cases/ASKING?" + "a=&" * 1_001, "1,001 members in the query", 400, INVALID),
    on("/cases/ASKING/attachments/none", "an unknown attachment", 404, "ATTACHMENT_NOT_FOUND"),
    on("/cases/ASKING/attachments/%00", "NUL as an attachment", 404, "ATTACHMENT_NOT_FOUND"),
    on("/cases/ASKING/attachments/a%2F..%2Fb", "dots as an attachment", 404, "ATTACHMENT_NOT_FOUND"),
    on("/cases/THEIRS/attachments/none", "another client's attachment", 403, "FORBIDDEN"),
    on("/cases/1/attachments/none", "an attachment of no case", 404, CASE_NOT_FOUND),
    on("/cases", "cases", 405, METHOD, "Allow", method="DELETE"),
    on("/cases", "cases", 405, METHOD, "Allow", method="PUT", body=GOOD),
    on("/cases", "cases", 405, METHOD, "Allow", method="OPTIONS"),
    on("/cases", "cases", 405, METHOD, "Allow", method="TRACE"),
    on("/cases", "cases", 405, METHOD, "Allow", method="BREW"),
    on("/cases/ASKING", "a case", 405, METHOD, "Allow", method="PATCH", body=b"{}"),
    on("/cases/ASKING", "a case", 405, METHOD, "Allow", method="DELETE"),
    on("/cases/ASKING", "a case", 405, METHOD, "Allow", method="POST", body=GOOD),
    on("/cases/ASKING/input", "the input", 405, METHOD, "Allow"),
    on("/cases/ASKING/cancel", "the cancel", 405, METHOD, "Allow"),
    on("/cases/ASKING/attachments/x", "an attachment", 405, METHOD, "Allow", method="POST"),
    on("/cases/1/cancel", "no case", 404, CASE_NOT_FOUND, method="POST"),
    on("/cases/THEIRS/cancel", "another client's case", 403, "FORBIDDEN", method="POST"),
    on("/cases/ENDED/cancel", "an ended case", 409, "CASE_ALREADY_FINISHED", method="POST"),
    on("/cases", "an unknown host", 400, INVALID, "Host", headers={"Host": "evil.example"}),
    on("/cases", "a host with a path", 400, INVALID, "Host", headers={"Host": "127.0.0.1/../evil"}),
    on("/cases", "a host that is no name", 400, INVALID, "Host", headers={"Host": "a b"}),
    on(NOBODY, "a lying proxy header", 404, CASE_NOT_FOUND, headers={"X-Forwarded-Host": "evil.example"}),
    on(NOBODY, "an override of the method", 404, CASE_NOT_FOUND, headers={"X-HTTP-Method-Override": "POST"}),
    on(NOBODY, "another wish for the answer", 404, CASE_NOT_FOUND, headers={"Accept": "text/html"}),
    on(NOBODY, "HTTP/1.0", 404, CASE_NOT_FOUND, line=f"GET {NOBODY} HTTP/1.0"),
    on(NOBODY, "an absolute address", 404, CASE_NOT_FOUND, line=f"GET http://HOST{NOBODY} HTTP/1.1"),
]


def answer(name: str, given: Any, says: str, *fields: str, status: int = 400, code: str = INVALID) -> BadRequest:
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    return BadRequest(f"input: {name}", status, code, says, fields, path="/cases/ASKING/input", body=raw)


ANSWERS = [
    answer("an empty body", b"", "required", "inputRequestId", "providedContext"),
    answer("an empty object", {}, "required", "inputRequestId", "providedContext"),
    answer("no id", {"providedContext": "Yes."}, "inputRequestId is required", "inputRequestId"),
    answer("no answer", {"inputRequestId": "QUESTION"}, "is required", "providedContext"),
    answer("a blank answer", {"inputRequestId": "QUESTION", "providedContext": " \n "}, "empty", "providedContext"),
    answer("a number", {"inputRequestId": "QUESTION", "providedContext": 5}, "a string", "providedContext"),
    answer("an object", {"inputRequestId": "QUESTION", "providedContext": {}}, "a string", "providedContext"),
    answer("null", {"inputRequestId": None, "providedContext": "Yes."}, "a string", "inputRequestId"),
    answer("too long", {"inputRequestId": "QUESTION", "providedContext": "x" * 20_001}, "20,000", "providedContext"),
    answer("malformed JSON", b'{"inputRequestId": "QUESTION"', "not valid JSON"),
    answer("NUL", b'{"inputRequestId": "QUESTION", "providedContext": "\\u0000"}', "NUL"),
    answer("a list", b"[]", "must be a JSON object"),
    answer(
        "another question's id",
        {"inputRequestId": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "providedContext": "Yes."},
        "active input request",
        status=409,
        code="INPUT_REQUEST_MISMATCH",
    ),
    answer(
        "an id that is no UUID",
        {"inputRequestId": "\U0001f4a5", "providedContext": "Yes."},
        "active input request",
        status=409,
        code="INPUT_REQUEST_MISMATCH",
    ),
    BadRequest(
        "input: a case that has ended",
        409,
        "CASE_NOT_WAITING_FOR_INPUT",
        path="/cases/ENDED/input",
        body=b'{"inputRequestId": "QUESTION", "providedContext": "Yes."}',
    ),
    BadRequest("input: another client's case", 403, "FORBIDDEN", path="/cases/THEIRS/input", body=b"{}"),
    BadRequest("input: nobody's case", 404, CASE_NOT_FOUND, path=f"{NOBODY}/input", body=b"{}"),
    BadRequest("input: no UUID", 404, CASE_NOT_FOUND, path="/cases/x/input", body=b"{}"),
]


def listing(query: str, *fields: str, says: str = "") -> BadRequest:
    return BadRequest(f"GET /cases?{query[:60]}", says=says, fields=fields, method="GET", path=f"/cases?{query}")


LISTINGS = [
    listing("status=OPEN", "status", says="must be CREATED"),
    listing("status=", "status"),
    listing("status=RUNNING,FAILED", "status"),
    listing("status=RUNNING&status=running", "status"),
    listing("clientReferenceId=", "clientReferenceId", says="must not be empty"),
    listing("clientReferenceId=" + "r" * 501, "clientReferenceId", says="at most 500"),
    listing("clientReferenceId=%00", "clientReferenceId"),
    listing("clientReferenceId=a&clientReferenceId=b", "clientReferenceId", says="only once"),
    listing("createdAfter=yesterday", "createdAfter", says="milliseconds"),
    listing("createdAfter=2026-11-24T10:00:00Z", "createdAfter"),
    listing("createdAfter=-1", "createdAfter"),
    listing("createdAfter=1e12", "createdAfter"),
    listing("createdAfter=", "createdAfter"),
    listing("createdBefore=253402300800000", "createdBefore"),
    listing("createdBefore=" + "9" * 3_000, "createdBefore"),
    listing("updatedAfter=%D9%A1%D9%A2", "updatedAfter"),
    listing("updatedAfter=1.5", "updatedAfter"),
    listing("counterparty=maya", "counterparty", says="e-mail address"),
    listing("counterparty=a@localhost", "counterparty"),
    listing("limit=0", "limit", says="from 1 to 100"),
    listing("limit=101", "limit"),
    listing("limit=ten", "limit"),
    listing("limit=%2B5", "limit"),
    listing("limit=1_0", "limit"),
    listing("limit=5&limit=6", "limit", says="only once"),
    listing("cursor=", "cursor", says="nextCursor"),
    listing("cursor=abc", "cursor"),
    listing("cursor=" + "A" * 43, "cursor"),
    listing("cursor=%00%ff", "cursor"),
    listing("expand=everything", "expand", says="metadata or failureReason"),
    listing("status=OPEN&limit=0&cursor=x&expand=y", "status", "limit", "cursor", "expand"),
]


def under_key(name: str, key: str, **more: Any) -> BadRequest:
    return BadRequest(f"Idempotency-Key: {name}", body=GOOD, headers={"Idempotency-Key": key}, **more)


KEY_FIELD: dict[str, Any] = {"says": "Idempotency-Key", "fields": ("Idempotency-Key",)}
IDEMPOTENCY_KEYS = [
    under_key("empty", "", **KEY_FIELD),
    under_key("256 characters", "k" * 256, **KEY_FIELD),
    under_key("not ASCII", "caf\xe9", **KEY_FIELD),
    under_key("a tab inside", "a\tb", **KEY_FIELD),
    under_key("empty, at the input", "", path="/cases/ASKING/input", **KEY_FIELD),
    BadRequest(
        "Idempotency-Key with a refused body is not kept",
        says="is required",
        fields=("channel",),
        body=change("channel", MISSING),
        headers={"Idempotency-Key": "refused"},
    ),
    BadRequest(
        "Idempotency-Key with over 1 MB",
        413,
        TOO_LARGE,
        body=b'{"a": "' + b"x" * 1_000_000 + b'"}',
        headers={"Idempotency-Key": "large"},
    ),
]


def signed(name: str, key: str | None, status: int = 401, code: str = "UNAUTHORIZED", **more: Any) -> BadRequest:
    return BadRequest(f"x-api-key: {name}", status, code, headers={"x-api-key": key, **more.pop("headers", {})}, **more)


KEYS = [
    signed("none", None, body=GOOD),
    signed("none, to read", None, method="GET", path="/cases/ASKING"),
    signed("none, to list", None, method="GET"),
    signed("none, for a method that no route takes", None, method="DELETE"),
    signed("empty", "", body=GOOD),
    signed("malformed", "x", body=GOOD),
    signed("unknown", UNUSED_KEY, body=GOOD),
    signed("not ASCII", "off_12345678_" + "k" * 42 + "\xe9", body=GOOD),
    signed("8,000 characters", "k" * 8_000, body=GOOD),
    signed("two in one", "GOOD-KEY,GOOD-KEY", body=GOOD),
    signed("as a bearer token", None, body=GOOD, headers={"Authorization": "Bearer GOOD-KEY"}),
    signed("in the query", None, method="GET", path="/cases?x-api-key=GOOD-KEY"),
    signed("inactive", "INACTIVE-KEY", 403, "FORBIDDEN", body=GOOD),
    signed("unknown, with a body that is no JSON", UNUSED_KEY, body=b"{"),
]

# These never reach the application: the web server refuses them in its own words.
NO_HTTP = [
    BadRequest("a request line over 4,094 bytes", method="GET", path="/cases?" + "a" * 8_200),
    BadRequest("a header over 8,190 bytes", method="GET", headers={"X-Long": "x" * 8_300}),
    BadRequest("over 100 headers", method="GET", headers={f"X-{number}": "x" for number in range(120)}),
    BadRequest("a header without a colon", line="GET /cases HTTP/1.1\r\nno colon here"),
    BadRequest("a space in a header's name", line="GET /cases HTTP/1.1\r\nX Y: z"),
    BadRequest("a length that is no number", body=GOOD, length="abc"),
    BadRequest("a negative length", body=GOOD, length="-5"),
    BadRequest("two lengths", body=GOOD, headers={"content-length": "5"}),
    BadRequest("a length and chunks", body=b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}),
    BadRequest("an unknown transfer coding", body=GOOD, headers={"Transfer-Encoding": "gzip"}, length=""),
    BadRequest("no HTTP version", line="GET /cases"),
    BadRequest("HTTP/9.9", line="GET /cases HTTP/9.9"),
    BadRequest("not HTTP at all", line="\x16\x03\x01\x02"),
]
