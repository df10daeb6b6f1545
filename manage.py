#!/usr/bin/env python3
"""Runs Django's commands for Offload; holds no logic of its own."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV_PYTHON = HERE / ".venv" / "bin" / "python"
# What `./dev up` runs with, as NAME=value lines; it is there only while the local stack is up.
LOCAL_ENVIRONMENT = HERE / "var" / "dev.env"

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from offload.doctor.unstartable import report_settings
except ModuleNotFoundError:
    if VENV_PYTHON.exists() and Path(sys.prefix) != VENV_PYTHON.parent.parent:
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    sys.stderr.write("Django is not installed here. Run ./dev up first: it installs what Offload needs in .venv.\n")
    raise SystemExit(1) from None


def use_local_stack() -> None:
    """Points a command at the running local stack, unless the environment names an installation itself."""
    if "OFFLOAD_MODE" in os.environ or not LOCAL_ENVIRONMENT.exists():
        return
    for line in LOCAL_ENVIRONMENT.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    use_local_stack()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if sys.argv[1:2] == ["doctor"]:
            sys.stdout.write(report_settings(str(error), sys.argv))
            raise SystemExit(1) from None
        # A wrong setting is the operator's to mend; a stack trace would hide the sentence that says how.
        sys.stderr.write(f"Offload cannot start: {error}\n")
        if "OFFLOAD_MODE" not in os.environ:
            sys.stderr.write("If you meant the local stack: it is not up. Start it with ./dev up, then try again.\n")
        raise SystemExit(1) from None
