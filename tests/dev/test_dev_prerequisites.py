"""What `./dev` finds missing on a machine, and what it says about it."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys

import pytest

from tests.dev.loading import FILE, dev


def test_an_old_python_can_read_the_file_so_far_that_it_says_what_it_lacks() -> None:
    source = FILE.read_text(encoding="utf-8")

    tree = ast.parse(source, feature_version=(3, 6))

    second, third = tree.body[1:3]
    assert isinstance(second, ast.Import)
    assert [name.name for name in second.names] == ["sys"]
    assert isinstance(third, ast.If)
    assert ast.unparse(third.test) == "sys.version_info < (3, 11)"


@pytest.mark.parametrize(
    ("has_apt", "is_root", "command"),
    [
        (True, True, "apt-get update && apt-get install -y python3-venv"),
        (True, False, "sudo apt-get update && sudo apt-get install -y python3-venv"),
        (False, True, "install what Debian calls python3-venv with this system's package manager"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    has_apt: bool, is_root: bool, command: str
) -> None:
    assert dev.name_install("python3-venv", has_apt=has_apt, is_root=is_root) == command


@pytest.mark.parametrize(
    ("system", "machine", "libc", "is_fault"),
    [
        ("Linux", "x86_64", ("glibc", "2.36"), False),
        ("Linux", "aarch64", ("glibc", "2.28"), False),
        ("Linux", "x86_64", ("glibc", "2.17"), True),
        ("Linux", "x86_64", ("", ""), True),
        ("Linux", "riscv64", ("glibc", "2.36"), True),
        ("Darwin", "arm64", ("", ""), True),
    ],
)
def test_a_system_without_wheels_for_it_is_refused(
    system: str, machine: str, libc: tuple[str, str], is_fault: bool
) -> None:
    assert bool(dev.check_system(system, machine, libc).mend) is is_fault


def test_a_fault_is_two_lines_and_a_prerequisite_that_is_met_is_one() -> None:
    assert str(dev.Check("disk", "9 MB free", "free 2000 MB")) == "fault  disk: 9 MB free\n       mend: free 2000 MB"
    assert str(dev.Check("disk", "9000 MB free")) == "ok     disk: 9000 MB free"


def test_a_database_that_does_not_answer_is_a_fault_with_both_ways_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        [check] = dev.check_settings({"DATABASE_URL": f"postgres://u:p@127.0.0.1:{port}/offload"})

    assert check.found == f"DATABASE_URL, 127.0.0.1:{port} does not answer"
    assert check.mend == "start that server, or use ours: unset DATABASE_URL"


def test_a_database_that_answers_is_no_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        [check] = dev.check_settings({"DATABASE_URL": f"postgres://u:p@127.0.0.1:{server.getsockname()[1]}/offload"})

    assert check.mend == ""


@pytest.mark.parametrize(
    ("url", "found", "is_fault"),
    [
        ("postgres://u:p@127.0.0.1:many/offload", "DATABASE_URL is not a URL", True),
        ("postgres://u@%2Frun%2Fpostgresql/offload", "DATABASE_URL, %2Frun%2Fpostgresql:5432", False),
    ],
)
def test_a_database_url_that_names_no_tcp_port_is_judged_by_its_form(url: str, found: str, is_fault: bool) -> None:
    check = dev.check_database(url)

    assert check.found == found
    assert bool(check.mend) is is_fault


def test_real_mail_that_is_set_up_by_half_is_a_fault_that_names_the_other_half() -> None:
    [check] = dev.check_settings({"AGENTMAIL_API_KEY": "am_real"})

    assert check.found == "a real provider, but AGENTMAIL_INBOX_ID and AGENTMAIL_WEBHOOK_SECRETS not set"
    assert check.mend.startswith("set AGENTMAIL_INBOX_ID and AGENTMAIL_WEBHOOK_SECRETS; or, for the sandbox: unset")


def test_no_setting_of_the_users_needs_no_check() -> None:
    assert dev.check_settings({}) == []


def test_a_port_is_picked_once_though_nobody_listens_on_it_yet() -> None:
    first = dev.pick_port(None)
    script = f"import runpy; print(runpy.run_path({str(FILE)!r})['pick_port']({first}))"

    assert dev.pick_port(first) != first
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(other.stdout) != first


def test_a_port_that_is_taken_is_replaced_by_one_that_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]

        picked = dev.pick_port(taken)

        assert picked != taken
        assert dev.is_free(picked)


def test_a_port_that_was_asked_for_and_is_taken_is_a_fault_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]

        with pytest.raises(dev.Fault, match=rf"Port {taken} is taken; stop what holds it, or give --port another\."):
            dev.choose_port(taken, 8000, "--port")
