"""One HTTP exchange with the mail provider, every way it can end a value; must not know what is exchanged.

No redirects, no repeats, no proxy or password from the environment. A connection serves one exchange: one that the
provider closed in the meantime would turn a request that never left into one whose fate is unknown.
"""

import heapq
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536
_CUT_AGAIN_S = 0.2


@dataclass(frozen=True)
class Answered:
    """A complete answer. `headers` are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class NotSent:
    """The request surely did not leave: no connection was made."""

    reason: str


@dataclass(frozen=True)
class Lost:
    """The request may have been processed; no complete answer came."""

    reason: str


@dataclass(frozen=True)
class Unusable:
    """The request cannot be made at all: its address or a header is malformed."""

    reason: str


Exchange = Answered | NotSent | Lost | Unusable


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    connect_timeout_s: float,
    read_timeout_s: float,
    deadline_s: float,
    max_answer_bytes: int,
) -> Exchange:
    """Returns how one request ended; raises nothing.

    `read_timeout_s` bounds each silence; `deadline_s` bounds the whole exchange, also against a server that sends
    one byte at a time, headers included. An answer above `max_answer_bytes` (decoded) is Lost.
    """
    with requests.Session() as session:
        session.trust_env = False
        adapter = _CuttableAdapter()
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        try:
            request = session.prepare_request(requests.Request(method, url, headers=dict(headers), data=body))
        except (requests.RequestException, UnicodeError) as error:
            return Unusable(f"{type(error).__name__}: {error}")
        try:
            with adapter.cut_after(deadline_s):
                response = session.send(
                    request, timeout=(connect_timeout_s, read_timeout_s), allow_redirects=False, stream=True
                )
                with response:
                    content = _read_at_most(response, max_answer_bytes)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _classify(error, is_late=adapter.is_cut)
    # A cut looks like the regular end of an answer that does not tell its length.
    if adapter.is_cut:
        return Lost(f"no complete answer within {deadline_s:g} s")
    if content is None:
        return Lost(f"an answer of more than {max_answer_bytes} bytes")
    return Answered(response.status_code, response.headers, content)


def _read_at_most(response: requests.Response, max_bytes: int) -> bytes | None:
    content = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        content += chunk
        if len(content) > max_bytes:
            return None
    return bytes(content)


def _classify(error: Exception, *, is_late: bool) -> NotSent | Lost | Unusable:
    name = type(error).__name__
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | UnicodeError):
        return Unusable(f"{name}: {error}")
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, urllib3.exceptions.MaxRetryError) else None
    # urllib3 counts a refused connection and a name that does not resolve among the connect timeouts.
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return NotSent(f"no connection: {reason.args[-1] if reason.args else name}")
    if isinstance(reason, urllib3.exceptions.SSLError) and _is_certificate_fault(reason):
        return NotSent(f"the certificate is not trusted: {reason}")
    if is_late:
        return Lost("no complete answer before the deadline")
    return Lost(f"{name}: {error}")


def _is_certificate_fault(error: Exception) -> bool:
    return any(isinstance(arg, ssl.SSLCertVerificationError) for arg in error.args)


@cache
def trust_authorities() -> ssl.SSLContext:
    """Returns one context for all connections: to read the bundle of authorities takes 24 ms of processor time."""
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


@dataclass(order=True)
class _Ring:
    """A time at which to call; `call` None: not any more, so that what waits for its time holds nothing alive."""

    at: float
    number: int
    call: Callable[[], float | None] | None = field(compare=False)


class Alarm:
    """One thread that calls back at many times; a thread for each exchange would cost a fifth of it.

    What is called takes no time and returns after how many seconds it wants to be called again. If it raises, that is
    logged, and the others are called as ever.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets all. For a child after a fork, which has no such thread."""
        self._waiting: list[_Ring] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ring_after(self, seconds: float, call: Callable[[], float | None]) -> _Ring:
        """Has `call` called after that time, by the alarm's own thread, unless the ring is emptied before."""
        ring = _Ring(time.monotonic() + seconds, next(self._numbers), call)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._waiting, ring)
            if self._waiting[0] is ring:
                self._changed.notify()
        return ring

    def _run(self) -> None:
        while True:
            with self._changed:
                left = self._waiting[0].at - time.monotonic() if self._waiting else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                call = heapq.heappop(self._waiting).call
            if call is not None:
                self._call(call)

    def _call(self, call: Callable[[], float | None]) -> None:
        try:
            again_after = call()
        except Exception:
            # Or this thread would end, and with it every deadline of the process.
            logger.exception("a deadline could not be kept")
            return
        if again_after is not None:
            self.ring_after(again_after, call)


_ALARM = Alarm()
os.register_at_fork(after_in_child=_ALARM.begin_anew)


class _CuttableAdapter(HTTPAdapter):
    """Keeps the sockets it opens, so that a deadline can cut them while another thread reads from them."""

    def __init__(self) -> None:
        self.is_cut = False
        self._is_over = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools, whose connections trust what `trust_authorities` says."""
        super().init_poolmanager(*args, **kwargs, ssl_context=trust_authorities())

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Demands a certificate without naming the bundle, which would be read into the context once more."""
        conn.cert_reqs = "CERT_REQUIRED"

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the pool, its connections made to hand over their socket."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        make = pool.ConnectionCls

        def make_watched(*make_args: Any, **make_kwargs: Any) -> Any:
            connection: Any = make(*make_args, **make_kwargs)
            connect = connection.connect

            def connect_and_keep() -> None:
                connect()
                # http.client itself lets go of the socket under `Connection: close`, before the body is read.
                self._sockets.append(connection.sock)

            connection.connect = connect_and_keep
            return connection

        pool.ConnectionCls = make_watched
        return pool

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """Cuts every connection once the time is over, until the block ends."""
        ring = _ALARM.ring_after(seconds, self._cut)
        try:
            yield
        finally:
            with self._lock:
                self._is_over = True
            ring.call = None

    def _cut(self) -> float | None:
        with self._lock:
            if self._is_over:
                return None
            self.is_cut = True
            for open_socket in list(self._sockets):
                with suppress(OSError):
                    # Past any TLS layer: its own shutdown would wait for the reader that has to be woken.
                    socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
        # A connection may still be in the making.
        return _CUT_AGAIN_S
