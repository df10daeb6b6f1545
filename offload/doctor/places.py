"""How this installation is run, so that a remedy is a command that works here; must not run anything but a question."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROCESSES = ("web", "worker", "beat", "queue")
ASK_S = 3
CONTAINER_SIGNS = ("/.dockerenv", "/run/.containerenv")
CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "ECS_CONTAINER_METADATA_URI_V4")
# It starts and ends all of them together.
LOCAL = "./dev up"
COMMAND_LINES = {
    "web": "gunicorn -c python:offload.serving offload.wsgi:application --bind 127.0.0.1:8000",
    "worker": "celery -A offload worker -P threads -c 16 --without-gossip --without-mingle --without-heartbeat",
    "beat": "celery -A offload beat --pidfile=",
    "queue": "",
}


@dataclass(frozen=True, slots=True)
class Place:
    """`kind` is local, systemd, container or plain."""

    kind: str

    def manage(self, command: str) -> str:
        """Returns how a command of manage.py is run here; on one machine through docs/deploy's `offload`."""
        return f"offload {command}" if self.kind == "systemd" else f"python manage.py {command}"

    def start(self, process: str) -> str:
        """Returns what starts a process that does not run."""
        return self._serve("start", "up -d", process)

    def restart(self, *processes: str) -> str:
        """Returns what makes running processes read their settings anew; "" where only the supervisor knows."""
        if self.kind == "local":
            return LOCAL
        if self.kind == "systemd":
            return f"systemctl restart {' '.join(f'offload-{process}' for process in processes)}"
        return f"docker compose up -d --force-recreate {' '.join(processes)}" if self.kind == "container" else ""

    def _serve(self, verb: str, compose_verb: str, process: str) -> str:
        match self.kind:
            case "local":
                return LOCAL
            case "systemd":
                return f"systemctl {verb} offload-{process}"
            case "container":
                return f"docker compose {compose_verb} {process}"
            case _:
                return COMMAND_LINES[process]


def find_place(mode: str) -> Place:
    """Returns where this process runs: under systemd when docs/deploy's units are installed.

    mode: OFFLOAD_MODE. In "local" `./dev up` starts everything, in a container too.
    """
    if mode == "local":
        return Place("local")
    if _has_units():
        return Place("systemd")
    in_container = any(Path(sign).exists() for sign in CONTAINER_SIGNS) or any(
        name in os.environ for name in CONTAINER_VARIABLES
    )
    return Place("container" if in_container else "plain")


def _has_units() -> bool:
    try:
        asked = subprocess.run(
            ["systemctl", "cat", "offload-beat.service"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=ASK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
