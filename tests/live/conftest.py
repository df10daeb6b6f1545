"""One real stack for all live tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"))
    yield running
    assert running.stop() == 0
