"""What gunicorn is told beside its command line: a caller's headers do not decide which route answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.offload.processes import ROOT


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the product's own application listens, under gunicorn as README.md starts it."""
    options = ["--bind", "127.0.0.1:0", "--workers", "1", "--no-control-socket"]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "python:offload.serving", "offload.wsgi:application", *options],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    listening = next(line for line in server.stderr if "Listening at: " in line)
    yield listening.split("Listening at: ")[1].split(" ")[0].removeprefix("http://")
    server.terminate()
    server.communicate(timeout=30)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/cases/admin/login/", {"SCRIPT_NAME": "/cases"}, 404),
        ("/livez", {"SCRIPT_NAME": "/elsewhere"}, 200),
        ("/livez", {"PATH_INFO": "/admin/login/"}, 200),
    ],
)
def test_no_header_moves_a_request_to_another_route(
    address: str, path: str, headers: dict[str, str], status: int
) -> None:
    connection = HTTPConnection(address, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()

    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    connection.close()
