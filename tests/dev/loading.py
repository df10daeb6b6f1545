"""Loads `./dev` as a module for its tests; it has no suffix, so `import` cannot find it."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "dev"


def load_dev() -> Any:
    """Returns the module; a second call returns another."""
    loader = SourceFileLoader("dev_command", str(FILE))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    # dataclasses look their module up by its name.
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


dev = load_dev()
