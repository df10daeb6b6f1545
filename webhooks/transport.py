"""One POST to a stranger's URL, every outcome a value; the only module here that knows HTTP. Must not know a table.

requests-hardened looks the name up, refuses private addresses and connects to the very address it checked, so that
a name cannot change its answer in between. What it lacks is added here: allowed ports, a few more ranges, a refusal
when any address of the name is private, a total deadline, a bounded answer.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from webhooks.address import ALLOWED_PORTS, check_url, is_public, read_literal
from webhooks.outcomes import Answered, NotSent, PostOutcome, Unknown

USER_AGENT = "Offload-Webhooks/1"
DEADLINE_S = 15.0
MAX_ANSWER_BYTES = 4096
# A date takes 29 characters.
LONGEST_RETRY_AFTER = 40

_NETWORK_ERRORS = (requests.RequestException, HTTPError, OSError, ValueError)


class _NotPublicError(requests.RequestException):
    """The host has an address that is not public."""


class _TooLateError(requests.RequestException):
    """The deadline passed before anything was sent, so nothing may be sent any more."""


class _Exchange:
    """What the thread that talks and the thread that waits for it share.

    The waiting thread decides what happened from how far the exchange got, never from the kind of an error: before
    the connection stands nothing has been sent, and from then on the request may have arrived.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._socket: socket.socket | None = None
        self._started = time.monotonic()
        self._answered_after = 0.0
        self._status: int | None = None
        self._retry_after = ""
        self._received = bytearray()
        self.error: Exception | None = None
        self.done = threading.Event()

    def begin_sending(self, connected: socket.socket) -> None:
        """Notes that the request is about to leave; raises _TooLateError when the caller was told otherwise."""
        with self._lock:
            if self._over:
                raise _TooLateError
            self._socket = connected

    def note_status(self, status: int, retry_after: str) -> None:
        """Notes that the endpoint has answered."""
        with self._lock:
            self._status = status
            self._retry_after = retry_after
            self._answered_after = time.monotonic() - self._started

    def note_bytes(self, chunk: bytes) -> None:
        """Notes a piece of the answer's body."""
        with self._lock:
            self._received += chunk

    def end(self, deadline_s: float) -> PostOutcome:
        """Ends the exchange, cutting the connection if it still runs, and returns what is known of it."""
        with self._lock:
            self._over = True
            # Read before the cut: after it the talking thread reports an error of our own making.
            error = self.error if self.done.is_set() else None
            if self._socket is not None and not self.done.is_set():
                _cut(self._socket)
            if self._status is not None:
                waited_ms = int(self._answered_after * 1000)
                return Answered(self._status, bytes(self._received), waited_ms, self._retry_after)
            if error is not None and not isinstance(error, _NETWORK_ERRORS):
                raise error
            if self._socket is None:
                return NotSent(_describe(error, f"No connection within {deadline_s:g} seconds."))
            return Unknown(_describe(error, f"No answer within {deadline_s:g} seconds."))


class _WatchedConnection(HTTPConnection):
    def __init__(self, *args: Any, exchange: _Exchange, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exchange = exchange

    def connect(self) -> None:
        super().connect()
        self._exchange.begin_sending(self.sock)


class _WatchedTLSConnection(HTTPSConnection):
    def __init__(self, *args: Any, exchange: _Exchange, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exchange = exchange

    def connect(self) -> None:
        super().connect()
        self._exchange.begin_sending(self.sock)


class _WatchedAdapter(HTTPAdapter):
    """Tells the exchange about its connection; connects anywhere."""

    def __init__(self, exchange: _Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(*args, **kwargs))
        pool.ConnectionCls = _WatchedTLSConnection if pool.scheme == "https" else _WatchedConnection
        pool.conn_kw["exchange"] = self._exchange
        return pool


class _GuardedAdapter(_WatchedAdapter):
    """Connects to public addresses only."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        wanted, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        # requests-hardened looks at the first address only. A name with one address inside is not an honest mistake.
        for found in socket.getaddrinfo(wanted["host"], wanted["port"], type=socket.SOCK_STREAM):
            _refuse_inside(str(found[4][0]))
        library = IPFilterAdapter(is_https_proto=wanted["scheme"] == "https")
        pinned, pool_kwargs = library.build_connection_pool_key_attributes(request, verify, cert)
        # The library looked the name up again, so what it pinned is held against our ranges as well.
        _refuse_inside(pinned["host"])
        return pinned, pool_kwargs


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool,
    deadline_s: float = DEADLINE_S,
    max_answer: int = MAX_ANSWER_BYTES,
    allowed_ports: Collection[int] = ALLOWED_PORTS,
) -> PostOutcome:
    """POSTs a JSON body once and returns what became of it after at most `deadline_s` seconds in all.

    The deadline covers the look-up of the name, the connection, TLS and an answer that drips. An endpoint whose
    status arrived has answered, even if its body did not end in time; at most `max_answer` bytes of it are read.
    `headers` come on top of the content type and the user agent. Nothing is retried, no redirect is followed, no
    proxy is used, certificates are verified. With `allow_private` every address and port is allowed.
    """
    fault = check_url(url, allow_private=allow_private, allowed_ports=allowed_ports)
    if fault is not None:
        return NotSent(fault)
    try:
        request = _prepare(url, body, headers)
    except (requests.exceptions.InvalidURL, UnicodeError):
        return NotSent("The URL's host is not a valid name.")
    exchange = _Exchange()
    adapter = _WatchedAdapter(exchange) if allow_private else _GuardedAdapter(exchange)
    # A look-up cannot be interrupted and a drip resets every socket timeout, so the deadline needs a second thread.
    # It is a daemon: one that is stuck in the resolver must not keep the process from stopping.
    threading.Thread(
        target=_talk, args=(exchange, adapter, request, deadline_s, max_answer), name="webhook-post", daemon=True
    ).start()
    exchange.done.wait(deadline_s)
    return exchange.end(deadline_s)


def _prepare(url: str, body: bytes, headers: Mapping[str, str]) -> requests.PreparedRequest:
    own = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    return requests.Request("POST", url, data=body, headers={**headers, **own}).prepare()


def _talk(
    exchange: _Exchange, adapter: HTTPAdapter, request: requests.PreparedRequest, deadline_s: float, max_answer: int
) -> None:
    try:
        # The adapter alone, without a Session: a Session takes proxies and passwords from the environment, and reads
        # the whole body of a redirect into memory even when it does not follow it.
        with adapter.send(request, stream=True, timeout=deadline_s, verify=True) as answer:
            exchange.note_status(answer.status_code, answer.headers.get("Retry-After", "")[:LONGEST_RETRY_AFTER])
            wanted = max_answer
            while wanted > 0 and (chunk := answer.raw.read1(wanted, decode_content=False)):
                exchange.note_bytes(chunk)
                wanted -= len(chunk)
    except Exception as error:
        # Handed to the waiting thread, which raises what is not the network's.
        exchange.error = error
    finally:
        exchange.done.set()
        adapter.close()


def _refuse_inside(host: str) -> None:
    address = read_literal(host)
    if address is None or not is_public(address):
        raise _NotPublicError


def _cut(connected: socket.socket) -> None:
    # An error here means that the other side was faster.
    with contextlib.suppress(OSError):
        # The plain socket's method: that of a TLS socket would take its state away from the thread that reads.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _describe(error: Exception | None, too_late: str) -> str:
    """Returns a sentence of our own: the libraries' messages repeat the URL's path and query, which may be secret."""
    if error is None:
        return too_late
    chain = _list_causes(error)
    for kinds, sentence in (
        ((_NotPublicError, InvalidIPAddress), "The host has an address that is not public."),
        ((socket.gaierror,), "The host's name has no address."),
        ((requests.Timeout, TimeoutError), too_late),
        ((requests.exceptions.SSLError,), "The endpoint's TLS certificate or handshake was not accepted."),
        ((ConnectionRefusedError,), "The endpoint refused the connection."),
        ((requests.exceptions.InvalidURL,), "The URL's host is not a valid name."),
    ):
        if any(isinstance(link, kinds) for link in chain):
            return sentence
    return f"The connection failed, or the answer was not HTTP ({type(error).__name__})."


def _list_causes(error: Exception) -> list[BaseException]:
    """Returns an error and everything that led to it; urllib3 hides causes in `reason` and in arguments as well."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        # `reason` is a plain text in some, such as ssl.SSLError.
        if isinstance(current, BaseException) and not any(current is known for known in found):
            found.append(current)
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return found
