"""A pytest plugin (`-p support.mutation`) that runs tests against a module with one rule changed:
ZAIKO_MUTATION is a JSON object with the module's name, the text to replace, which occurs once in
it, and what to put there. How the source is broken into lines does not matter: see `pattern`."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

import support.properties  # noqa: F401 - the tests run without their conftest.py


def pattern(text: str) -> re.Pattern[str]:
    """Return what finds `text` in Python source, whatever white space stands between its tokens,
    and with or without a comma before a closing bracket."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    return re.compile(
        r"\s*".join((r",?\s*" if token in ")]}" else "") + re.escape(token) for token in tokens)
    )


class _Changed(SourceFileLoader):
    """Loads one module with its rule changed, also when its package imports it."""

    def __init__(self, name: str, path: str, old: str, new: str) -> None:
        super().__init__(name, path)
        self._old, self._new = old, new

    def get_code(self, fullname: str) -> CodeType:
        """See InspectLoader."""
        source = self.get_data(self.path).decode()
        found = pattern(self._old).findall(source)
        assert len(found) == 1, f"{self._old!r} occurs {len(found)} times in {fullname}"
        return compile(pattern(self._old).sub(lambda _: self._new, source), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, module: str, old: str, new: str) -> None:
        self._module, self._old, self._new = module, old, new

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Changed(fullname, spec.origin, self._old, self._new)
        return spec


def _mutate(module: str, old: str, new: str) -> None:
    sys.meta_path.insert(0, _Finder(module, old, new))
    importlib.import_module(module)


_mutate(**json.loads(os.environ["ZAIKO_MUTATION"]))
