"""`python -m offload.alive web|worker|beat`: a container's health check; must not set Django up, nor ask the queue.

A worker or beat that was heard of lives. Whether it works is for `manage.py doctor`: a container that is restarted
because the queue is down helps nobody.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.request import urlopen

import psycopg

WEB_URL = "http://127.0.0.1:8000/livez"
ANSWER_S = 4
# As offload.pulses: three missed pulses.
LIVES_S = 35
ASK = "SELECT 1 FROM offload_pulse WHERE name LIKE %s AND beaten_at > clock_timestamp() - make_interval(secs => %s)"


def is_alive(process: str) -> bool:
    """Returns whether the process of this host lives; raises OSError or psycopg.Error when nobody answers."""
    if process == "web":
        with urlopen(WEB_URL, timeout=ANSWER_S) as answer:
            return bool(answer.status == 200)
    # A beat that waits for its turn has no pulse: any that leads will do, wherever it runs.
    name = "beat" if process == "beat" else f"worker {socket.gethostname()}:%"
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=ANSWER_S) as connection:
        return connection.execute(ASK, [name, LIVES_S]).fetchone() is not None


def main(arguments: list[str]) -> int:
    """Returns 0 when the process lives, 1 when it does not, 2 for a wrong call."""
    if len(arguments) != 1 or arguments[0] not in ("web", "worker", "beat"):
        sys.stderr.write("usage: python -m offload.alive web|worker|beat\n")
        return 2
    try:
        return 0 if is_alive(arguments[0]) else 1
    except (OSError, psycopg.Error) as error:
        sys.stderr.write(f"{type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
