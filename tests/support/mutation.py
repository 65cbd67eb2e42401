"""A pytest plugin (`-p support.mutation`) that runs tests against a module with one rule changed:
ZAIKO_MUTATION is a JSON object with the module's name, the text to replace, which occurs once in
it, and what to put there."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import support.properties  # noqa: F401 - the tests run without their conftest.py


def _mutate(module: str, old: str, new: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times in {module}"
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    exec(compile(source.replace(old, new), spec.origin, "exec"), loaded.__dict__)


_mutate(**json.loads(os.environ["ZAIKO_MUTATION"]))
