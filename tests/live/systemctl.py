"""A stand-in for `systemctl` on a machine without systemd; must not start anything but what a unit file says.

Reads User, WorkingDirectory, EnvironmentFile, Environment and ExecStart. Restart= is not played: what a test kills
stays dead until a command starts it. UNITS names the directory of the unit files, RUN_AS the account, "" for ours.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

UNITS = Path(os.environ.get("UNITS", "/nonexistent"))
STOP_S = 40.0


def read_unit(name: str) -> dict[str, list[str]]:
    """Returns every value of each key of the unit, in order."""
    values: dict[str, list[str]] = {}
    for line in (UNITS / f"{name}.service").read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            values.setdefault(key, []).append(value)
    return values


def read_environment(unit: dict[str, list[str]]) -> dict[str, str]:
    """Returns the unit's whole environment: systemd hands on nothing of its own caller's."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    pairs = [pair for line in unit.get("Environment", []) for pair in shlex.split(line)]
    for file in unit.get("EnvironmentFile", []):
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        pairs += [shlex.split(line)[0] for line in lines if line.strip() and not line.startswith("#")]
    return environment | dict(pair.split("=", 1) for pair in pairs)


def find_pid(name: str) -> int | None:
    """Returns the process of a unit that runs."""
    try:
        pid = int((UNITS / f"{name}.pid").read_text(encoding="utf-8"))
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else pid


def start(name: str) -> None:
    """Starts the unit unless it runs."""
    if find_pid(name) is not None:
        return
    unit = read_unit(name)
    account = os.environ.get("RUN_AS", "")
    become = ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups"] if account else []
    with (UNITS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*become, *shlex.split(unit["ExecStart"][0])],
            cwd=unit["WorkingDirectory"][0],
            env=read_environment(unit),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (UNITS / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")


def stop(name: str) -> None:
    """Ends the unit as systemd does: SIGTERM, then SIGKILL to all of it."""
    pid = find_pid(name)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while find_pid(name) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    kill(name)


def kill(name: str) -> None:
    """Ends the unit's process and its children without a word."""
    with suppress(OSError, ValueError):
        os.killpg(int((UNITS / f"{name}.pid").read_text(encoding="utf-8")), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Returns systemctl's exit code."""
    verb, *rest = arguments
    names = [name.removesuffix(".service") for name in rest if not name.startswith("--")]
    if verb == "daemon-reload":
        return 0
    for name in names:
        if verb in ("stop", "restart"):
            stop(name)
        if verb in ("start", "restart") or (verb == "enable" and "--now" in rest):
            start(name)
        if verb == "kill":
            kill(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
