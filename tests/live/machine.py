"""One machine for docs/deploy.md's commands, in a directory: what they would change of the real one is elsewhere.

Paths in the page are replaced by paths below the directory; `apt-get`, `useradd`, `runuser` and `systemctl` are
stand-ins. Everything else runs as it is written.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from tests.docs_reader import read_examples

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "deploy.md"
NOBODY = 65534
COMMAND_S = 240


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def read_section(page: str, heading: str) -> str:
    """Returns what stands under a heading of the page, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/deploy.md has no heading {heading!r}"
    return found[1]


class Machine:
    """`install_packages` makes the virtual environments of the page; else those of the test run stand in for them."""

    def __init__(self, directory: Path, database_url: str, *, install_packages: bool) -> None:
        self.directory = directory
        self.web_port, self.queue_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.web_port}"
        self._admin_url = database_url
        self.database = f"deployment_{secrets.token_hex(6)}"
        self.database_url = database_url.rsplit("/", 1)[0] + f"/{self.database}"
        self._install_packages = install_packages
        self._page = PAGE.read_text(encoding="utf-8")
        self._run_as = str(NOBODY) if os.geteuid() == 0 and self._is_reachable() else ""
        self.bin = directory / "bin"
        self.units = directory / "units"
        for path in (self.bin, self.units):
            path.mkdir(parents=True)
        self._write_stand_ins()

    def _is_reachable(self) -> bool:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-c", ""]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def _write_stand_ins(self) -> None:
        systemctl = ROOT / "tests" / "live" / "systemctl.py"
        become = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups" if self._run_as else ""
        scripts = {
            "apt-get": "exit 0",
            "useradd": "exit 0",
            # `cat` is asked by the doctor too, whose account may not reach this test's interpreter.
            "systemctl": f'[ "$1" = cat ] && exec test -f "{self.units}/$2"; exec {sys.executable} {systemctl} "$@"',
            # runuser -u ACCOUNT -- COMMAND
            "runuser": f'shift 3; case "$1" in psql) echo "$*" >> {self.directory}/sql;; *) exec {become} "$@";; esac',
        }
        if not self._install_packages:
            # pip and venv of the page's own are for the long run.
            scripts["python3"] = f'case "$2" in venv) exit 0;; *) exec {sys.executable} "$@";; esac'
        for name, body in scripts.items():
            path = self.bin / name
            path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            path.chmod(0o755)

    def localize(self, text: str) -> str:
        """Returns a command or a file of the page, aimed at this machine."""
        text = text.replace("postgres://offload:$PASSWORD@127.0.0.1:5432/offload", self.database_url)
        text = text.replace("https://$OFFLOAD_HOST", self.url)
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.web_port}")
        text = text.replace("127.0.0.1:9324", f"127.0.0.1:{self.queue_port}").replace("=9324", f"={self.queue_port}")
        if not self._install_packages:
            text = re.sub(r"^/opt/offload/\w+/bin/pip .*$", "true", text, flags=re.MULTILINE)
            text = re.sub(r"/opt/offload/(?:venv|queue)/bin/python", sys.executable, text)
        text = text.replace("-o offload", f"-o {self._run_as}" if self._run_as else "")
        for path, here in (
            ("/etc/systemd/system", self.units),
            ("/usr/local/bin", self.bin),
            ("/opt/offload", self.directory / "opt"),
            ("/etc/offload", self.directory / "etc"),
            ("/var/lib/offload", self.directory / "var"),
        ):
            text = text.replace(path, str(here))
        return text

    def run_section(self, heading: str, **variables: str) -> str:
        """Runs the `sh` blocks under a heading, each in one shell; returns what they printed. Fails when one does."""
        examples = [example for example in read_examples(read_section(self._page, heading)) if example.language == "sh"]
        assert examples, heading
        return "".join(self.run(example.script, may_fail=False, **variables) for example in examples)

    def run(self, script: str, *, may_fail: bool = False, **variables: str) -> str:
        """Runs a command of the page as root of this machine would; returns its output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.localize(script)],
            cwd=ROOT,
            env=self._environment() | variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert may_fail or done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.read_logs()}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            "UNITS": str(self.units),
            "RUN_AS": self._run_as,
        }

    def adapt_files(self) -> None:
        """Aims the installed units and the `offload` command at this machine; makes the database the SQL asked for."""
        for path in (*self.units.glob("*.service"), self.bin / "offload"):
            path.write_text(self.localize(path.read_text(encoding="utf-8")), encoding="utf-8")

    def make_database(self, suffix: str = "") -> None:
        """Does what the page's SQL asks of PostgreSQL, under another name."""
        asked = (self.directory / "sql").read_text(encoding="utf-8")
        assert "CREATE ROLE offload LOGIN" in asked
        assert "CREATE DATABASE offload OWNER offload" in asked
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{self.database}{suffix}"')

    def examine(self) -> dict[str, dict[str, str]]:
        """Returns the findings of `offload doctor` by name: the worst where a name has several."""
        document = json.loads(self.run("offload doctor --json", may_fail=True))
        order = ["ok", "warn", "FAIL"]
        found: dict[str, dict[str, str]] = {}
        for finding in document["findings"]:
            known = found.get(finding["name"])
            if known is None or order.index(finding["level"]) > order.index(known["level"]):
                found[finding["name"]] = finding
        return found

    def read_metrics(self) -> dict[str, float]:
        """Returns every sample of GET /metrics by its name and labels, as Prometheus writes them."""
        token = self.read_settings()["OFFLOAD_METRICS_TOKEN"]
        request = Request(f"{self.url}/metrics", headers={"Authorization": f"Bearer {token}"})
        with urlopen(request, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def read_settings(self) -> dict[str, str]:
        lines = (self.directory / "etc" / "offload.env").read_text(encoding="utf-8").splitlines()
        return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}

    def add_setting(self, name: str, value: str) -> None:
        with (self.directory / "etc" / "offload.env").open("a", encoding="utf-8") as file:
            file.write(f"{name}='{value}'\n")

    def read_logs(self) -> str:
        logs = [f"== {log.name}\n{log.read_text(errors='replace')[-2500:]}" for log in self.units.glob("*.log")]
        return "\n".join(logs)

    def call(self, method: str, path: str, key: str, body: Any = None) -> Any:
        """Returns the `data` of one call of the API."""
        headers = {"x-api-key": key, "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url + path, data=data, method=method, headers=headers), timeout=30) as answer:
            return json.load(answer)["data"]

    def close(self) -> None:
        """Ends every unit, and takes database and directory away."""
        self.run("systemctl kill offload-web offload-worker offload-beat offload-queue", may_fail=True)
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            for suffix in ("", "_restored"):
                connection.execute(f'DROP DATABASE IF EXISTS "{self.database}{suffix}" WITH (FORCE)')
        shutil.rmtree(self.directory, ignore_errors=True)
