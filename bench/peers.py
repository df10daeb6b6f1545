"""Starts the two sides of `against_dbos` and the mail provider between them; must not measure anything."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.mail_stub import INBOX, SECRET
from bench.processes import ROOT, DidNotStart, find_port, run_gunicorn, run_server
from bench.table import NotMeasured

DBOS_VENV = ROOT / "var" / "bench-dbos"
CONCURRENCY = 16
POOL = 20


class NoPeer(NotMeasured):
    """DBOS is not installed and cannot be."""


def install_dbos() -> Path:
    """Returns the Python of an environment that holds DBOS alone, made at the first call. Raises NoPeer."""
    python = DBOS_VENV / "bin" / "python"
    locked = ROOT / "bench" / "requirements.txt"
    stamp = DBOS_VENV / "requirements.txt"
    if stamp.exists() and stamp.read_bytes() == locked.read_bytes():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", DBOS_VENV], check=True)
        command: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        subprocess.run([*command, "--require-hashes", "-r", locked], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoPeer(f"DBOS could not be installed into {DBOS_VENV}: {error}") from None
    stamp.write_bytes(locked.read_bytes())
    return python


def compose_mail_settings(mail_url: str) -> dict[str, str]:
    """Returns the settings that make the stub the mail provider."""
    return {
        "AGENTMAIL_BASE_URL": mail_url,
        "AGENTMAIL_API_KEY": "am_bench",
        "AGENTMAIL_INBOX_ID": INBOX,
        "AGENTMAIL_WEBHOOK_SECRETS": "whsec_" + base64.b64encode(SECRET).decode(),
    }


@contextmanager
def run_mail(port: int, webhook: str, log: Path) -> Iterator[int]:
    """Yields the pid of the mail provider, which posts each reply to `webhook`; both must be up before the first.

    Without a webhook nobody replies.
    """
    command = [sys.executable, "-m", "bench.mail_stub", str(port), webhook]
    with run_server(command, _path(), log, port, "/inboxes/none/threads/none") as pid:
        yield pid


@contextmanager
def run_model(seconds: float, logs: Path) -> Iterator[int]:
    """Yields the port of a model that takes `seconds` to judge, and none to draft."""
    port = find_port()
    command = [sys.executable, "-m", "bench.model_stub", str(port), str(seconds)]
    with run_server(command, _path(), logs / "model.log", port, "/"):
        yield port


def compose_model_settings(port: int) -> dict[str, str]:
    """Returns the settings that make the stub the model."""
    return {
        "OFFLOAD_MODEL": "openai-chat:gpt-4o",
        "OFFLOAD_MODEL_API_KEY": "only-for-a-bench",
        "OFFLOAD_MODEL_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OFFLOAD_MODEL_MAX_CLIENT_DAY_COST_USD": "0",
    }


@contextmanager
def run_offload(env: Mapping[str, str], logs: Path) -> Iterator[tuple[int, int]]:
    """Yields the port of the web process and the pid of the one worker."""
    pooled = {**env, "OFFLOAD_DB_POOL_SIZE": str(POOL)}
    with (
        run_gunicorn("offload.wsgi", env, logs / "web.log") as (_, port),
        run_worker(pooled, logs / "worker.log", ["-P", "threads", "-c", str(CONCURRENCY)]) as worker_pid,
    ):
        yield port, worker_pid


@contextmanager
def run_worker(
    env: Mapping[str, str], log: Path, pool: list[str], application: str = "bench.scripted_worker"
) -> Iterator[int]:
    """Yields the pid of a worker, with the bench's own agent or the product's; it may still be connecting."""
    command = [sys.executable, "-m", "celery", "-A", application, "worker", *pool]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdout=output, stderr=output)
    try:
        yield process.pid
        if process.poll() is not None:
            raise DidNotStart(f"the worker ended with {process.returncode}:\n{log.read_text()[-3000:]}")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class DbosWorker:
    """The one process that runs the workflows."""

    def __init__(self, python: Path, url: str, mail_url: str, log: Path) -> None:
        command = [str(python), "bench/dbos_worker.py", url, mail_url]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=_path(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        self._log = log
        self.pid = self._process.pid
        self._expect("ready")

    def start(self, command: str) -> None:
        """Starts the workflows that the command names; returns once all are started."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self._expect("started")

    def close(self) -> None:
        """Ends the process without waiting for its workflows."""
        self._process.kill()
        self._process.wait()

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != word:
            raise DidNotStart(f"the DBOS process failed:\n{self._log.read_text()[-3000:]}")


@contextmanager
def run_dbos(python: Path, url: str, mail_url: str, web_port: int, logs: Path) -> Iterator[DbosWorker]:
    """Yields the worker; its web process listens at `web_port`."""
    worker = DbosWorker(python, url, mail_url, logs / "dbos.log")
    try:
        command = [str(python), "bench/dbos_web.py", url, str(web_port)]
        with run_server(command, _path(), logs / "dbos_web.log", web_port, "/"):
            yield worker
    finally:
        worker.close()


def _path() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
