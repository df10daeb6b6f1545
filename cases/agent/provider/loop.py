"""One asyncio loop in one daemon thread per process, on which every model call runs; must not know what runs on it.

A model's HTTP client belongs to the loop it was first used on. Shared between the loops of several threads, two calls
in five failed ("bound to a different event loop"), so all threads of a process hand their calls to this one.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

Value = TypeVar("Value")

# What a call may take beyond its own deadline before the waiting thread gives up on the loop itself.
GRACE_SECONDS = 5.0

_guard = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def run_on_loop(call: Coroutine[Any, Any, Value], *, deadline_s: float, grace_s: float = GRACE_SECONDS) -> Value:
    """Return what the call returns, waiting in this thread; raises what it raises, or TimeoutError.

    The call is expected to keep `deadline_s` itself; when it overstays by `grace_s` more it is cancelled.
    """
    future: Future[Value] = asyncio.run_coroutine_threadsafe(call, _get_loop())
    try:
        return future.result(deadline_s + grace_s)
    except FutureTimeout:
        future.cancel()
        raise TimeoutError("the model call did not end by its deadline") from None


def _get_loop() -> asyncio.AbstractEventLoop:
    """Return this process's loop; a child that was forked from one that had it makes its own."""
    global _loop, _owner
    with _guard:
        if _loop is None or _owner != os.getpid():
            _loop = asyncio.new_event_loop()
            _owner = os.getpid()
            threading.Thread(target=_loop.run_forever, name="model-loop", daemon=True).start()
        return _loop
