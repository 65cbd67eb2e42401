"""A folder's README that lists modules lists all of them, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "server", "cli", "tests/repo")
READMES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("README.md") if ".venv" not in path.parts
)
LISTED = [path for path in READMES if re.search(r"`[a-z_]+\.py`", path.read_text("utf-8"))]


def named(page: Path) -> set[str]:
    """Return the modules of its own folder that a README names."""
    return set(re.findall(r"`([a-z_0-9]+\.py)`", page.read_text("utf-8")))


def modules(folder: Path) -> set[str]:
    """Return the modules of a folder that a reader may look for."""
    return {path.name for path in folder.glob("*.py")} - {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("page", LISTED, ids=lambda page: str(page.parent.relative_to(ROOT)))
def test_every_module_of_the_folder_is_named(page: Path) -> None:
    assert sorted(modules(page.parent) - named(page)) == []


@pytest.mark.parametrize("page", LISTED, ids=lambda page: str(page.parent.relative_to(ROOT)))
def test_every_module_that_is_named_exists(page: Path) -> None:
    below = {path.name for path in page.parent.rglob("*.py")}
    assert sorted(named(page) - below) == []
