"""A pytest plugin (`-p support.mutation`) that runs tests against a module with one rule changed:
ZAIKO_MUTATION is a JSON object with the module's name, the text to replace, which occurs once in
it, and what to put there. How the source is broken into lines does not matter: see `pattern`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import support.properties  # noqa: F401 - the tests run without their conftest.py


def pattern(text: str) -> re.Pattern[str]:
    """Return what finds `text` in Python source, whatever white space stands between its tokens,
    and with or without a comma before a closing bracket."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    return re.compile(
        r"\s*".join((r",?\s*" if token in ")]}" else "") + re.escape(token) for token in tokens)
    )


def _mutate(module: str, old: str, new: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    found = pattern(old).findall(source)
    assert len(found) == 1, f"{old!r} occurs {len(found)} times in {module}"
    changed = pattern(old).sub(lambda _: new, source)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    exec(compile(changed, spec.origin, "exec"), loaded.__dict__)


_mutate(**json.loads(os.environ["ZAIKO_MUTATION"]))
