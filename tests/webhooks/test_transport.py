"""One POST against real servers on the loopback, and every way it can end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.webhooks.endpoints import (
    drip,
    find_closed_port,
    flood,
    hang_up,
    say,
    say_raw,
    serving,
    stay_silent,
)
from webhooks.outcomes import Answered, NotSent, PostOutcome, Unknown
from webhooks.transport import post

BODY = b'{"event_id":"evt_1"}'
DEADLINE_S = 0.5


def send(url: str, *, deadline_s: float = 10) -> PostOutcome:
    return post(url, BODY, {}, allow_private=True, deadline_s=deadline_s)


def test_the_endpoint_gets_the_exact_body_as_json_and_its_answer_is_returned() -> None:
    with serving(say(201, b"thanks")) as endpoint:
        outcome = post(endpoint.url("/hook?a=b"), BODY, {"webhook-id": "evt_1"}, allow_private=True)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.first_bytes) == (201, b"thanks")
    assert 0 <= outcome.duration_ms < 10_000
    [request] = endpoint.requests
    assert request.line == "POST /hook?a=b HTTP/1.1"
    assert request.body == BODY
    assert request.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "content-type": "application/json",
        "content-length": "20",
        "user-agent": "Offload-Webhooks/1",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": "evt_1",
    }


@pytest.mark.parametrize("status", [200, 204, 400, 410, 500, 503])
def test_every_status_is_an_answer_and_is_asked_for_once(status: int) -> None:
    with serving(say(status)) as endpoint:
        outcome = send(endpoint.url())

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.first_bytes) == (status, b"")
    assert len(endpoint.requests) == 1


def test_a_redirect_is_returned_and_not_followed() -> None:
    with serving(say(200)) as target, serving(say(307, b"", f"Location: {target.url()}")) as endpoint:
        outcome = send(endpoint.url())

    assert isinstance(outcome, Answered)
    assert outcome.status == 307
    assert len(endpoint.requests) == 1
    assert target.connections == 0


@pytest.mark.parametrize(("status", "headers"), [(200, ()), (302, ("Location: /elsewhere",))])
def test_of_a_huge_answer_only_the_first_4096_bytes_are_read(status: int, headers: tuple[str, ...]) -> None:
    with serving(flood(status, 60_000_000, *headers)) as endpoint:
        outcome = send(endpoint.url())
        assert endpoint.was_cut.wait(10)

    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.first_bytes) == (status, b"x" * 4096)
    # The rest stayed in the buffers of the two sockets.
    assert endpoint.bytes_sent < 20_000_000


def test_a_compressed_answer_is_not_unpacked() -> None:
    with serving(say(200, b"not gzip at all", "Content-Encoding: gzip")) as endpoint:
        outcome = send(endpoint.url())

    assert isinstance(outcome, Answered)
    assert outcome.first_bytes == b"not gzip at all"


def test_a_chunked_answer_is_read_without_its_framing() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with serving(say_raw(chunked)) as endpoint:
        outcome = send(endpoint.url())

    assert isinstance(outcome, Answered)
    assert outcome.first_bytes == b"abcde"


def test_headers_that_drip_are_cut_at_the_deadline_and_leave_the_outcome_unknown() -> None:
    started = time.monotonic()
    with serving(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")) as endpoint:
        outcome = send(endpoint.url(), deadline_s=DEADLINE_S)
        took = time.monotonic() - started
        assert endpoint.was_cut.wait(10)

    assert outcome == Unknown("No answer within 0.5 seconds.")
    assert DEADLINE_S <= took < DEADLINE_S + 2
    assert endpoint.requests[0].body == BODY


def test_a_body_that_drips_is_cut_at_the_deadline_but_its_status_has_arrived() -> None:
    started = time.monotonic()
    with serving(drip(b"HTTP/1.1 202 OK\r\n\r\nfirst", b"a")) as endpoint:
        outcome = send(endpoint.url(), deadline_s=DEADLINE_S)
        took = time.monotonic() - started
        assert endpoint.was_cut.wait(10)

    assert isinstance(outcome, Answered)
    assert outcome.status == 202
    assert outcome.first_bytes.startswith(b"first")
    assert outcome.duration_ms < 500
    assert DEADLINE_S <= took < DEADLINE_S + 2


def test_an_endpoint_that_never_answers_leaves_the_outcome_unknown() -> None:
    with serving(stay_silent) as endpoint:
        outcome = send(endpoint.url(), deadline_s=DEADLINE_S)
        assert endpoint.was_cut.wait(10)

    assert outcome == Unknown("No answer within 0.5 seconds.")
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_hangs_up_after_the_request_leaves_the_outcome_unknown() -> None:
    with serving(hang_up) as endpoint:
        outcome = send(endpoint.url())

    assert outcome == Unknown("The connection failed, or the answer was not HTTP (ConnectionError).")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("raw", [b"HTTP/1.1 2", b"220 mail.example ESMTP\r\n", b"\x16\x03\x01\x00\x00\r\n\r\n"])
def test_an_answer_that_is_not_http_leaves_the_outcome_unknown(raw: bytes) -> None:
    with serving(say_raw(raw)) as endpoint:
        outcome = send(endpoint.url())

    assert outcome == Unknown("The connection failed, or the answer was not HTTP (ConnectionError).")


def test_a_port_where_nobody_listens_means_not_sent() -> None:
    assert send(f"http://127.0.0.1:{find_closed_port()}/") == NotSent("The endpoint refused the connection.")


def test_a_url_with_a_fault_means_not_sent() -> None:
    assert send("ftp://example.com/") == NotSent("The URL must begin with http:// or https://.")


def test_a_host_that_cannot_be_encoded_means_not_sent() -> None:
    assert send("http://" + "ü" * 70 + ".example/") == NotSent("The URL's host is not a valid name.")


def test_neither_a_proxy_nor_a_password_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    with serving(say(200)) as proxy, serving(say(200)) as endpoint:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        outcome = send(endpoint.url())

    assert isinstance(outcome, Answered)
    assert proxy.connections == 0
    assert "authorization" not in endpoint.requests[0].headers


def test_no_secret_of_the_url_is_repeated_in_a_reason() -> None:
    with serving(hang_up) as endpoint:
        cut = send(endpoint.url("/hook/s3cret?token=s3cret"))
    refused = send(f"http://127.0.0.1:{find_closed_port()}/s3cret")

    assert isinstance(cut, Unknown)
    assert isinstance(refused, NotSent)
    assert "s3cret" not in cut.reason + refused.reason
