"""The sandbox's HTTP server: gunicorn inside one command; must not know what it serves.

gunicorn, because it hands on the path as it was sent and the client's socket; both are needed to stand in for a
provider whose ids hold `/` and whose connections break.
"""

from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication

from agentmail.sandbox.courier import Courier
from agentmail.sandbox.provider.playing import STOPPING

THREADS = 16
# Long, because a client that reuses a connection at the moment it is closed sees an outcome it cannot know.
KEEP_ALIVE_SECONDS = 75
# The sandbox has nothing to lose by being cut: what it answered for is in tables.
GRACEFUL_SECONDS = 1


def make_handler(urlconf: str) -> WSGIHandler:
    """Returns Django's WSGI application with other routes than the web process has."""

    # A fault in the routes must stop the start, not answer every call with 500.
    _ = get_resolver(urlconf).url_patterns
    # Django's resolver takes a request's own routes before ROOT_URLCONF.
    handler = WSGIHandler()
    handler.request_class = type("SandboxRequest", (WSGIRequest,), {"urlconf": urlconf})
    return handler


class SandboxServer(BaseApplication):  # type: ignore[misc]
    """One gunicorn worker with threads on 127.0.0.1; `run` returns never: it ends the process."""

    def __init__(self, port: int, urlconf: str, on_ready: Callable[[], None]) -> None:
        self._port = port
        self._urlconf = urlconf
        self._on_ready = on_ready
        self._courier = Courier()
        super().__init__()

    def load_config(self) -> None:
        """Sets gunicorn's options; called by gunicorn."""
        options: dict[str, Any] = {
            "bind": f"127.0.0.1:{self._port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "preload_app": False,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "control_socket_disable": True,
            "loglevel": "warning",
            "accesslog": None,
            "proc_name": "offload-sandbox",
            "post_worker_init": self._start_worker,
            "worker_exit": self._stop_worker,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        """Returns the WSGI application; called by gunicorn in the worker."""
        return make_handler(self._urlconf)

    def _start_worker(self, worker: Any) -> None:
        self._courier.start()
        self._on_ready()

    def _stop_worker(self, server: Any, worker: Any) -> None:
        STOPPING.set()
        self._courier.stop()
