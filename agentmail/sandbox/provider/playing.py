"""Plays a fault on one HTTP call: an error, a closed connection, a long silence; must not store mail."""

import select
import socket
import threading
import time

from django.db import connections
from django.http import HttpRequest, HttpResponse

from agentmail.sandbox.faults import DEFAULT_WAIT_SECONDS, FaultOrder, take_fault
from agentmail.sandbox.provider.errors import GatewayRefusalError, ProviderError, key_in_flight, message_rejected

# Set when the process stops, so that a silence does not outlive it.
STOPPING = threading.Event()
_LOOK_EVERY_SECONDS = 0.2


def make_refusal(fault: FaultOrder) -> ProviderError:
    """Returns the error that a fault named by a status stands for."""
    if fault.kind == "429":
        retry_after = 1 if fault.retry_after is None else fault.retry_after
        return ProviderError(
            429,
            "RateLimitError",
            "rate_limit_exceeded",
            "Rate limit exceeded",
            headers={"Retry-After": str(retry_after)},
        )
    return _REFUSALS[fault.kind]()


def play_refusal(request: HttpRequest, fault: FaultOrder) -> HttpResponse:
    """Plays a fault that accepts nothing: raises its error, closes the connection, or stays silent and closes."""
    if fault.kind == "timeout":
        stay_silent(request, fault)
    if fault.kind in ("timeout", "drop"):
        return close_unanswered(request)
    raise make_refusal(fault)


def play_read_fault(request: HttpRequest) -> HttpResponse | None:
    """Plays the next fault of the read channel; None when the call may be answered, after a `slow` too."""
    fault = take_fault("read")
    if fault is None:
        return None
    if fault.kind == "slow":
        stay_silent(request, fault)
        return None
    return play_refusal(request, fault)


def close_unanswered(request: HttpRequest) -> HttpResponse:
    """Ends the TCP connection without a byte of answer; the response returned is never seen by the client."""
    connection = _client_socket(request)
    if connection is not None:
        # A close alone would leave the server's copy of the descriptor open, and its answer would still go out.
        connection.shutdown(socket.SHUT_RDWR)
    return HttpResponse(status=500)


def stay_silent(request: HttpRequest, fault: FaultOrder) -> None:
    """Waits as long as the fault says, 60 s by default; ends early when the client hangs up or the process stops.

    The thread's database connection is given back first.
    """
    connections.close_all()
    connection = _client_socket(request)
    deadline = time.monotonic() + waiting_seconds(fault)
    while (left := deadline - time.monotonic()) > 0 and not STOPPING.wait(min(left, _LOOK_EVERY_SECONDS)):
        if connection is not None and _has_hung_up(connection):
            return


def waiting_seconds(fault: FaultOrder) -> float:
    """Returns how long the fault keeps the client waiting, in seconds."""
    return DEFAULT_WAIT_SECONDS if fault.seconds is None else fault.seconds


def _client_socket(request: HttpRequest) -> socket.socket | None:
    return request.META.get("gunicorn.socket")


def _has_hung_up(connection: socket.socket) -> bool:
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


_REFUSALS = {
    "400": lambda: ProviderError(400, "ValidationError", "validation_error", "The request was refused", errors=[]),
    "401": lambda: ProviderError(401, "UnauthorizedError", "unknown_api_key", "The API key is not known"),
    "404": lambda: ProviderError(404, "NotFoundError", "not_found", "Message not found"),
    "408": lambda: ProviderError(408, "TimeoutError", "request_timeout", "The request took too long"),
    "422": lambda: ProviderError(422, "UnprocessableError", "unprocessable", "The mail cannot be sent"),
    "500": lambda: ProviderError(500, "InternalError", "internal_error", "Internal server error"),
    "503": lambda: ProviderError(503, "ServiceUnavailableError", "service_unavailable", "Service unavailable"),
    "403_rejected": lambda: message_rejected(
        "Message rejected: the recipient is on the block list", "Remove the recipient from the send block list."
    ),
    "403_suspended": lambda: message_rejected(
        "Message rejected: sending is disabled because the account is suspended", "Contact support."
    ),
    "403_forbidden": lambda: ProviderError(
        403, "ForbiddenError", "forbidden", "The API key may not do this", fix="Use a key with message_send."
    ),
    "403_gateway": GatewayRefusalError,
    "409_in_flight": key_in_flight,
}
