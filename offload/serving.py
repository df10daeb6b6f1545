"""How gunicorn serves Offload: `gunicorn -c python:offload.serving offload.wsgi:application`; the command line wins.

Must not import Django: gunicorn's master reads this before it forks.
"""

import os
import shutil
import tempfile
from typing import Any

from offload.checks import LOG_FORMATS, LOG_LEVELS
from offload.logs import build_logging

worker_class = "gthread"
workers = 2
threads = 4
# Seconds in which requests that were taken are finished after SIGTERM.
graceful_timeout = 30
# Seconds; must exceed the idle timeout of the proxy in front, which else sends into a connection that is being closed.
keepalive = 75
# By default a caller on this host, a proxy that hands on every header among them, chooses with SCRIPT_NAME which part
# of its path is the route: /cases/admin/ would be the admin, and a path that does not fit a 500 in HTML.
forwarder_headers = ""


def _choose(name: str, choices: tuple[str, ...], default: str) -> str:
    # A wrong value is told by the settings, which every process that is forked reads.
    value = os.environ.get(name, default)
    return value if value in choices else default


_is_local = os.environ.get("OFFLOAD_MODE") == "local"
logconfig_dict = build_logging(
    level=_choose("OFFLOAD_LOG_LEVEL", LOG_LEVELS, "INFO"),
    log_format=_choose("OFFLOAD_LOG_FORMAT", LOG_FORMATS, "line" if _is_local else "json"),
)

# Where the processes of this gunicorn keep the times of their requests, so that each can tell those of all
# (offload/latency.py). Set here, because prometheus_client reads it when it is imported.
_times: str | None = None
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    _times = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="offload-times-")


def on_exit(_server: Any) -> None:
    """Removes what the processes counted; gunicorn's master calls it last."""
    if _times is not None:
        shutil.rmtree(_times, ignore_errors=True)
