"""Where a POST may go: private addresses, names that change their mind, certificates.

The resolver is the network's edge and is faked here; every connection goes to a real server on the loopback.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.webhooks.endpoints import Endpoint, say, serving, stay_silent
from tests.webhooks.test_address import PRIVATE_HOSTS
from webhooks.outcomes import Answered, NotSent, PostOutcome
from webhooks.transport import post

PUBLIC = "93.184.215.14"
NOT_PUBLIC = NotSent("The host has an address that is not public.")
Resolve = Callable[..., None]


def send_guarded(endpoint: Endpoint, host: str, *, scheme: str = "http", deadline_s: float = 10) -> PostOutcome:
    return post(
        endpoint.url(host=host, scheme=scheme),
        b"{}",
        {},
        allow_private=False,
        allowed_ports=(endpoint.port,),
        deadline_s=deadline_s,
    )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(say(200)) as running:
        yield running


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Lets a name have addresses: a list for each look-up, the last one for all further ones."""
    real = socket.getaddrinfo

    def set_addresses(name: str, *answers: list[str]) -> None:
        waiting = list(answers)

        def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != name:
                return real(host, port, *args, **kwargs)
            found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return [
                (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port or 0))
                for address in found
                for family in [socket.AF_INET6 if ":" in address else socket.AF_INET]
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return set_addresses


@pytest.fixture
def public_leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Endpoint], list[tuple[str, int]]]:
    """Lets connections to the public address end at a local server; returns the list of addresses asked for."""
    real = socket.socket.connect
    asked: list[tuple[str, int]] = []

    def redirect(endpoint: Endpoint) -> list[tuple[str, int]]:
        def connect(self: socket.socket, address: Any) -> None:
            asked.append(address)
            real(self, ("127.0.0.1", endpoint.port) if address[0] == PUBLIC else address)

        monkeypatch.setattr(socket.socket, "connect", connect)
        return asked

    return redirect


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_no_notation_of_an_address_inside_is_ever_connected_to(host: str, endpoint: Endpoint) -> None:
    outcome = send_guarded(endpoint, host)

    assert outcome == NotSent("The URL leads to an address that is not public.")
    assert endpoint.connections == 0


def test_localhost_is_refused_by_its_name(endpoint: Endpoint) -> None:
    outcome = send_guarded(endpoint, "localhost")

    assert outcome == NotSent("The URL's host is a name that exists only inside a network.")
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "168.63.129.16", "100.64.0.1", "::1", "::127.0.0.1", "fec0::1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1"],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(address: str, resolve: Resolve, endpoint: Endpoint) -> None:
    resolve("hooks.example.com", [address])

    assert send_guarded(endpoint, "hooks.example.com") == NOT_PUBLIC
    assert endpoint.connections == 0


@pytest.mark.parametrize("addresses", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "fd00:ec2::254"]])
def test_one_address_inside_among_public_ones_is_enough_to_refuse(
    addresses: list[str],
    resolve: Resolve,
    endpoint: Endpoint,
    public_leads_to: Callable[[Endpoint], list[tuple[str, int]]],
) -> None:
    resolve("hooks.example.com", addresses)
    asked = public_leads_to(endpoint)

    assert send_guarded(endpoint, "hooks.example.com") == NOT_PUBLIC
    assert asked == []


@pytest.mark.parametrize("second", ["127.0.0.1", "168.63.129.16", "::127.0.0.1", "fec0::1"])
def test_a_name_that_changes_its_answer_between_two_look_ups_is_refused(
    second: str,
    resolve: Resolve,
    endpoint: Endpoint,
    public_leads_to: Callable[[Endpoint], list[tuple[str, int]]],
) -> None:
    resolve("hooks.example.com", [PUBLIC], [second])
    asked = public_leads_to(endpoint)

    assert send_guarded(endpoint, "hooks.example.com") == NOT_PUBLIC
    assert asked == []


def test_the_connection_goes_to_the_address_that_was_checked_and_not_to_a_third_look_up(
    resolve: Resolve, endpoint: Endpoint, public_leads_to: Callable[[Endpoint], list[tuple[str, int]]]
) -> None:
    resolve("hooks.example.com", [PUBLIC], [PUBLIC], ["127.0.0.1"])
    asked = public_leads_to(endpoint)

    outcome = send_guarded(endpoint, "hooks.example.com")

    assert isinstance(outcome, Answered)
    assert asked == [(PUBLIC, endpoint.port)]
    assert endpoint.requests[0].headers["host"] == f"hooks.example.com:{endpoint.port}"


def test_a_name_without_an_address_means_not_sent(monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint) -> None:
    def look_up(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    assert send_guarded(endpoint, "hooks.example.com") == NotSent("The host's name has no address.")


@pytest.mark.parametrize("allow_private", [False, True])
def test_after_a_look_up_that_outlasts_the_deadline_nothing_is_sent(
    allow_private: bool,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Endpoint,
    public_leads_to: Callable[[Endpoint], list[tuple[str, int]]],
) -> None:
    resolver_answers = threading.Event()

    def look_up(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        assert resolver_answers.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (PUBLIC, port or 0))]

    public_leads_to(endpoint)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = endpoint.url(host="hooks.example.com")
    before = set(threading.enumerate())

    outcome = post(url, b"{}", {}, allow_private=allow_private, allowed_ports=(endpoint.port,), deadline_s=0.2)
    [talking] = set(threading.enumerate()) - before
    resolver_answers.set()
    talking.join(30)

    assert outcome == NotSent("No connection within 0.2 seconds.")
    assert not talking.is_alive()
    assert endpoint.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key for hooks.example.com, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    today = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("hooks.example.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_endpoint(certificate: Path) -> Iterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(say(200), context) as running:
        yield running


def test_a_certificate_that_nobody_vouches_for_means_not_sent(tls_endpoint: Endpoint) -> None:
    outcome = post(tls_endpoint.url(scheme="https"), b"{}", {}, allow_private=True)

    assert outcome == NotSent("The endpoint's TLS certificate or handshake was not accepted.")
    assert tls_endpoint.requests == []


@pytest.mark.parametrize("allow_private", [False, True])
def test_a_trusted_certificate_is_checked_against_the_name_and_not_the_pinned_address(
    allow_private: bool,
    tls_endpoint: Endpoint,
    certificate: Path,
    resolve: Resolve,
    public_leads_to: Callable[[Endpoint], list[tuple[str, int]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    public_leads_to(tls_endpoint)
    outcomes = []
    for host in ("hooks.example.com", "other.example.com"):
        resolve(host, [PUBLIC])
        outcomes.append(
            post(
                tls_endpoint.url(host=host, scheme="https"),
                b"{}",
                {},
                allow_private=allow_private,
                allowed_ports=(tls_endpoint.port,),
            )
        )

    assert isinstance(outcomes[0], Answered)
    assert outcomes[1] == NotSent("The endpoint's TLS certificate or handshake was not accepted.")
    assert len(tls_endpoint.requests) == 1


def test_a_tls_handshake_that_never_ends_means_not_sent() -> None:
    with serving(stay_silent) as endpoint:
        outcome = post(endpoint.url(scheme="https"), b"{}", {}, allow_private=True, deadline_s=0.3)

    assert outcome == NotSent("No connection within 0.3 seconds.")
