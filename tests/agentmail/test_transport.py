"""How one HTTP exchange can end, against a real server that plays each fault."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agentmail.transport import Alarm, Answered, Exchange, Lost, NotSent, Unusable, exchange, trust_authorities
from tests.agentmail.provider import Provider, drip, reset, say, say_raw, stay_silent


def get(url: str, *, deadline_s: float = 5, read_timeout_s: float = 2, max_answer_bytes: int = 1000) -> Exchange:
    return exchange(
        "GET",
        url,
        headers={"Authorization": "Bearer am_key"},
        connect_timeout_s=0.3,
        read_timeout_s=read_timeout_s,
        deadline_s=deadline_s,
        max_answer_bytes=max_answer_bytes,
    )


def test_a_complete_answer_is_given_back_whole(provider: Provider) -> None:
    provider.play(say(418, {"a": 1}, Retry_After="7"))

    result = get(provider.url + "/x?y=z")

    assert isinstance(result, Answered)
    assert (result.status, result.body, result.headers["retry-after"]) == (418, b'{"a": 1}', "7")
    assert [(r.method, r.path, r.headers["authorization"]) for r in provider.received] == [
        ("GET", "/v0/x?y=z", "Bearer am_key")
    ]


def test_a_refused_connection_was_surely_not_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    assert isinstance(get(f"http://127.0.0.1:{port}/v0"), NotSent)


def test_a_name_that_does_not_resolve_was_surely_not_sent() -> None:
    assert isinstance(get("http://no-such-host.invalid/v0"), NotSent)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: it drops what comes, as a firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield listener.getsockname()[1]
        for client in waiting:
            client.close()


def test_a_connection_that_is_not_made_in_time_was_surely_not_sent(full_port: int) -> None:
    assert isinstance(get(f"http://127.0.0.1:{full_port}/v0"), NotSent)


def test_a_connection_that_breaks_after_the_request_is_lost(provider: Provider) -> None:
    provider.play(reset(), say_raw(b""))

    assert isinstance(get(provider.url), Lost)
    assert isinstance(get(provider.url), Lost)
    assert len(provider.received) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    ],
    ids=["cut", "cut chunks", "bad chunk", "bad gzip", "two lengths", "no HTTP", "200 headers"],
)
def test_an_answer_that_is_not_whole_is_lost(provider: Provider, answer: bytes) -> None:
    provider.play(say_raw(answer))

    assert isinstance(get(provider.url), Lost)


def test_a_silent_server_is_lost_after_the_read_timeout(provider: Provider) -> None:
    provider.play(stay_silent(provider))

    assert isinstance(get(provider.url, read_timeout_s=0.1), Lost)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nConnection: close\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a"),
    ],
    ids=["headers", "body", "body of a closing connection", "chunk", "body without length"],
)
def test_a_server_that_trickles_is_cut_at_the_deadline(provider: Provider, start: bytes, drop: bytes) -> None:
    provider.play(drip(provider, start, drop))
    begun = time.monotonic()

    result = get(provider.url, deadline_s=0.3)

    assert isinstance(result, Lost)
    assert time.monotonic() - begun < 2


def test_an_answer_beyond_the_cap_is_lost_before_all_of_it_is_read(provider: Provider) -> None:
    provider.play(say(200, b"a" * 1000), say(200, b"a" * 1001))

    assert isinstance(get(provider.url), Answered)
    assert isinstance(get(provider.url), Lost)


def test_a_redirect_is_an_answer_and_is_not_followed(provider: Provider) -> None:
    provider.play(say(302, {}, Location=provider.url + "/elsewhere"))

    result = get(provider.url)

    assert isinstance(result, Answered)
    assert result.status == 302
    assert len(provider.received) == 1


def test_a_cookie_is_not_carried_to_the_next_exchange(provider: Provider) -> None:
    provider.play(say(200, {}, Set_Cookie="a=b"), say(200, {}))

    get(provider.url)
    get(provider.url)

    assert "cookie" not in provider.received[1].headers


def test_proxies_of_the_environment_are_not_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    provider.play(say(200, {}))

    assert isinstance(get(provider.url), Answered)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/v0", "http://", "http://[::1/v0", "http://a b/"])
def test_an_address_that_is_none_is_told_apart_from_a_failed_exchange(url: str) -> None:
    assert isinstance(get(url), Unusable)


@pytest.mark.parametrize("key", ["Bearer a\r\nX: b", "Bearer \N{SNOWMAN}"])
def test_a_header_that_cannot_be_sent_is_told_apart_from_a_failed_exchange(provider: Provider, key: str) -> None:
    result = exchange(
        "GET",
        provider.url,
        headers={"Authorization": key},
        connect_timeout_s=1,
        read_timeout_s=1,
        deadline_s=5,
        max_answer_bytes=1000,
    )

    assert isinstance(result, Unusable)
    assert provider.received == []


def test_one_thread_keeps_the_deadlines_of_all_exchanges(provider: Provider) -> None:
    provider.play(say(200, {}), say(200, {}), drip(provider, b"HTTP/1.1 200 OK\r\n\r\n", b"a"))

    get(provider.url)
    get(provider.url)
    assert isinstance(get(provider.url, deadline_s=0.1), Lost)

    assert [thread.name for thread in threading.enumerate()].count("deadlines") == 1


def test_a_fault_in_one_deadline_takes_no_deadline_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    alarm, has_rung = Alarm(), threading.Event()

    def fail() -> float | None:
        raise RuntimeError("a fault of ours")

    def ring() -> float | None:
        has_rung.set()
        return None

    alarm.ring_after(0, fail)
    alarm.ring_after(0.01, ring)

    assert has_rung.wait(5)
    assert [record.getMessage() for record in caplog.records] == ["a deadline could not be kept"]


@contextmanager
def serve_tls(folder: Path, owner: x509.GeneralName) -> Iterator[int]:
    """A TLS server on 127.0.0.1 whose certificate, signed by itself, is the owner's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2026, 1, 1), datetime(2036, 1, 1))  # noqa: DTZ001
        .add_extension(x509.SubjectAlternativeName([owner]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")

    def shake_hands() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shake_hands)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


OURS = x509.IPAddress(ip_address("127.0.0.1"))


def test_a_certificate_that_is_not_trusted_keeps_the_request_unsent(tmp_path: Path) -> None:
    with serve_tls(tmp_path, OURS) as port:
        result = get(f"https://127.0.0.1:{port}/v0")

    assert isinstance(result, NotSent)
    assert "certificate" in result.reason


@pytest.fixture
def trusted_folder(tmp_path: Path) -> Iterator[Path]:
    """Where a server leaves its certificate that all connections of this test trust."""
    yield tmp_path
    trust_authorities.cache_clear()


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (OURS, Lost),
        (x509.IPAddress(ip_address("127.0.0.2")), NotSent),
        (x509.DNSName("other.example"), NotSent),
    ],
    ids=["its own", "another address", "another name"],
)
def test_a_trusted_certificate_of_somebody_else_keeps_the_request_unsent(
    trusted_folder: Path, owner: x509.GeneralName, expected: type[Exchange]
) -> None:
    with serve_tls(trusted_folder, owner) as port:
        trust_authorities().load_verify_locations(trusted_folder / "cert.pem")
        result = get(f"https://127.0.0.1:{port}/v0")

    assert isinstance(result, expected)
    assert not isinstance(result, NotSent) or "match" in result.reason
