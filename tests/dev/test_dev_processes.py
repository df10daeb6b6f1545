"""How `./dev` watches over the processes it has started, and how it ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.dev.loading import FILE, dev

KEEPER = """
import sys, time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
loader = SourceFileLoader("dev_command", sys.argv[1])
dev = sys.modules["dev_command"] = module_from_spec(spec_from_loader(loader.name, loader))
loader.exec_module(dev)
child = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
with dev.hold_lock(Path(sys.argv[2], "dev.lock"), "") as lock:
    stack = dev.Stack(dev.State(Path(sys.argv[2])), lock)
    stack.start(dev.Service("web", [sys.executable, "-c", child], {}, ready_line="up"))
    stack.wait("web")
    print("pid", stack.services["web"].process.pid, flush=True)
    time.sleep(600)
"""


def wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + 20
    while dev.signal_group(group, 0):
        assert time.monotonic() < deadline, f"process group {group} is still there"
        time.sleep(0.05)


def test_a_killed_dev_leaves_neither_its_children_nor_theirs(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text("{}", encoding="utf-8")
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(FILE), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdout
    group = next(int(line.split()[1]) for line in keeper.stdout if line.startswith("pid "))
    assert dev.signal_group(group, 0)

    keeper.send_signal(signal.SIGKILL)
    keeper.wait()

    wait_until_gone(group)
    assert not (tmp_path / "dev.json").exists()
    # The guard has let the lock go, so another run can start.
    with dev.hold_lock(tmp_path / "dev.lock", "held by {pid}"):
        keeper.stdout.close()


@pytest.fixture
def lone_stack(tmp_path: Path) -> Any:
    with dev.hold_lock(tmp_path / "dev.lock", "") as lock:
        handlers = {number: signal.getsignal(number) for number in dev.STOP_SIGNALS}
        stack = dev.Stack(dev.State(tmp_path), lock)
        yield stack
        stack.stop()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_service_that_dies_is_named_with_its_exit_code_and_last_lines(lone_stack: Any) -> None:
    lone_stack.start(dev.Service("beat", ["/bin/sh", "-c", "echo no database; exit 3"], {}, ready_line="never"))
    pid = lone_stack.services["beat"].process.pid

    with pytest.raises(dev.Fault) as caught:
        lone_stack.wait("beat")

    assert str(caught.value) == (
        f"beat (pid {pid}) ended with exit code 3. Its last lines:\n  no database\nStopping the others."
    )
    assert caught.value.code == 1


def test_a_service_that_a_signal_ended_is_said_so_and_started_again(lone_stack: Any) -> None:
    service = dev.Service("worker", ["/bin/sh", "-c", "echo ready; exec sleep 600"], {}, ready_line="ready")
    lone_stack.start(service)
    lone_stack.wait("worker")
    first = service.process.pid
    os.kill(first, signal.SIGKILL)
    service.process.wait()

    assert service.describe_end() == f"worker (pid {first}) was ended by SIGKILL. Its last lines:\n  ready"
    assert lone_stack.revive() is True

    lone_stack.wait("worker")
    assert service.process.pid != first
    assert lone_stack.list_dead() == []
    assert lone_stack.revive() is False


def test_a_service_that_does_not_stop_is_killed_with_its_children_after_its_grace(lone_stack: Any) -> None:
    deaf = "trap '' TERM; sleep 600 & echo ready; while :; do wait; done"
    service = dev.Service("web", ["/bin/sh", "-c", deaf], {}, ready_line="ready", grace_s=0.2)
    lone_stack.start(service)
    lone_stack.wait("web")

    service.stop(lambda: False)

    assert service.process.returncode == -signal.SIGKILL
    wait_until_gone(service.process.pid)
