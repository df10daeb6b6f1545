"""What each process loads: the web process has the application and none of the worker's modules."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from celery import current_app

from offload.celery import app
from tests.offload.processes import ROOT

LOADED_BY_WEB = """
import sys
from celery import current_app
from django.urls import get_resolver
from offload.wsgi import application
assert get_resolver().url_patterns
workers_only = {"cases.tasks", "cases.handlers", "webhooks.tasks", "pydantic_ai"}
print(current_app.main, *sorted(workers_only & set(sys.modules)))
"""


LOADED_BY_A_WORKER = """
import sys
import django
django.setup()
import cases.tasks
assert "cases.handlers.work" in sys.modules
print(*sorted(name for name in ("pydantic_ai", "openai", "anthropic") if name in sys.modules))
"""


def test_the_web_process_has_the_application_but_no_tasks() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED_BY_WEB],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.split() == ["offload"]


@pytest.mark.parametrize(("model", "libraries"), [("offline", []), ("anthropic:any", ["pydantic_ai"])])
def test_a_worker_loads_the_models_library_only_for_a_model(model: str, libraries: list[str]) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED_BY_A_WORKER],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "OFFLOAD_MODEL": model},
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.split()[-1:] == libraries


def test_every_thread_publishes_through_the_application() -> None:
    names: list[str] = []
    thread = threading.Thread(target=lambda: names.append(current_app.main))
    thread.start()
    thread.join()

    assert names == ["offload"]


def test_the_tasks_of_the_schedule_exist() -> None:
    app.loader.import_default_modules()

    announced = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert announced - set(app.tasks) == set()
    assert {"cases.look_at_case", "webhooks.deliver"} - set(app.tasks) == set()
