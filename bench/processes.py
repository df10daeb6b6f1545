"""Starts what a bench needs beside PostgreSQL; counts processor time and memory of a process with its children."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.table import NotMeasured

ROOT = Path(__file__).resolve().parents[1]
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30.0


class DidNotStart(NotMeasured):
    """A process ended, or did not answer in time; its log is in the message."""


def find_port() -> int:
    """Returns a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_gunicorn(application: str, env: Mapping[str, str], log: Path) -> Iterator[tuple[int, int]]:
    """Yields the pid and the port of a server as production runs it: gthread, 2 workers with 4 threads each."""
    port = find_port()
    options = ["-c", "python:offload.serving", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", *options]
    with run_server(command, env, log, port, "/nothing") as pid:
        yield pid, port


@contextmanager
def run_queue(directory: Path) -> Iterator[tuple[int, str]]:
    """Yields the pid and the URL of the embedded SQS endpoint, as `./dev up` runs it but for its memory."""
    port = find_port()
    env = os.environ | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "SERVICES": "sqs",
        "STATE_DIR": str(directory),
        "TMPDIR": str(directory),
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # On a real Docker socket it would stop the containers of other emulators.
        "DOCKER_HOST": f"unix://{directory}/none",
    }
    command = [sys.executable, "-m", "ministack"]
    with run_server(command, env, directory / "queue.log", port, "/_ministack/health") as pid:
        yield pid, f"http://127.0.0.1:{port}"


@contextmanager
def run_server(command: list[str], env: Mapping[str, str], log: Path, port: int, path: str) -> Iterator[int]:
    """Yields the pid once GET `path` is answered with anything; ends the process afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{' '.join(command)}:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status > 0
    return False


def read_cpu_s(pid: int) -> float:
    """Returns the processor seconds that a process and its living children have used up so far."""
    ticks = 0
    for one in list_processes(pid):
        with suppress(FileNotFoundError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_A_SECOND


def read_memory_mb(pid: int) -> tuple[float, float]:
    """Returns RSS and PSS of a process with its children; PSS counts what they share once."""
    totals = {"Rss": 0, "Pss": 0}
    for one in list_processes(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in totals:
                totals[name] += int(value.split()[0])
    return totals["Rss"] / 1024, totals["Pss"] / 1024


def list_processes(pid: int) -> list[int]:
    """Returns the process and its living children, theirs included."""
    return [pid, *_list_children(pid)]


def _list_children(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [grandchild for child in children for grandchild in _list_children(child)]
