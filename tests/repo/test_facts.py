"""What connectors say of their platforms can be looked up: each has a FACTS.md, and every section
of it that code or recorded bodies cite exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
CONNECTORS = sorted(path.parent.name for path in PLUGINS.glob("*/pyproject.toml"))
_CITED = re.compile(r"FACTS\.md((?:(?:,|;|:| and| to|\s)*\s*§\d+(?:\.\d+)?)+)")


def sections(facts: str) -> set[str]:
    """The numbers of the headings of a FACTS.md."""
    return set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", facts, re.MULTILINE))


def cited(text: str) -> set[str]:
    """The sections that a text cites."""
    return {
        number for group in _CITED.findall(text) for number in re.findall(r"[\d.]+\d|\d", group)
    }


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_cited_section_of_the_facts_exists(name: str) -> None:
    folder = PLUGINS / name
    known = sections((folder / "FACTS.md").read_text("utf-8"))
    texts = [*folder.glob("*.md"), *folder.rglob("*.py"), *folder.rglob("*.graphql")]

    missing = {
        str(path.relative_to(folder)): unknown
        for path in texts
        if (unknown := cited(path.read_text("utf-8")) - known)
    }

    assert known
    assert missing == {}


@pytest.mark.parametrize(
    "index",
    sorted(PLUGINS.glob("*/tests/data/recorded/index.json")),
    ids=lambda path: path.parts[-5],
)
def test_every_recorded_body_says_which_section_it_is_made_from(index: Path) -> None:
    known = sections((PLUGINS / index.parts[-5] / "FACTS.md").read_text("utf-8"))

    for name, entry in json.loads(index.read_text("utf-8")).items():
        found = set(re.findall(r"§(\d+(?:\.\d+)?)", entry["source"]))
        assert "FACTS.md" in entry["source"], name
        assert found <= known, name
        assert found or entry["grade"] == "UNCONFIRMED", name
