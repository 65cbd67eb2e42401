"""docs/glossary.md is true: what it names exists, and no term stands twice."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from tracked import ROOT, tracked

CODE = ("core/", "server/", "cli/", "proto/zaiko/")


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the page's tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "term"]


@cache
def names() -> frozenset[str]:
    """Return what code and protos define: classes, functions, variables, attributes, constants,
    columns, messages, fields, methods."""
    found: set[str] = set()
    for name in tracked():
        if not name.startswith(CODE) or "/tests/" in name:
            continue
        if name.endswith(".proto"):
            text = re.sub(r"//.*", "", (ROOT / name).read_text("utf-8"))
            found |= {word.removeprefix("ERROR_REASON_") for word in re.findall(r"\w+", text)}
        elif name.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
                match node:
                    case (
                        ast.ClassDef(name=word)
                        | ast.FunctionDef(name=word)
                        | ast.AsyncFunctionDef(name=word)
                        | ast.Name(id=word, ctx=ast.Store())
                        | ast.Attribute(attr=word, ctx=ast.Store())
                        | ast.arg(arg=word)
                        | ast.Constant(value=str(word))
                    ):
                        found.add(word)
    return frozenset(found)


def exists(name: str) -> bool:
    """Whether a name of the last column is there: a command, a file, a folder, or what code
    defines (`Class.attribute` is both)."""
    if name.startswith("zaiko "):
        return all(word in names() for word in name.split()[1:])
    if "/" in name or name.endswith(".proto"):
        return any(
            f"/{path}".endswith(f"/{name}") or f"/{name}" in f"/{path}" for path in tracked()
        )
    return all(part in names() for part in name.split("."))


def test_every_name_of_the_glossary_exists() -> None:
    named = {
        name: row[0]
        for row in rows((ROOT / "docs/glossary.md").read_text("utf-8"))
        for name in re.findall(r"`([^`]+)`", row[3])
    }
    assert len(named) > 100
    assert {name: term for name, term in named.items() if not exists(name)} == {}


def test_each_term_is_explained_once_with_its_meaning_in_english_and_its_japanese_name() -> None:
    found = rows((ROOT / "docs/glossary.md").read_text("utf-8"))
    assert [row for row in found if len(row) != 4 or not all(row)] == []
    terms = [row[0] for row in found]
    assert sorted(terms) == sorted(set(terms))


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("InventoryBelief.expected", True),
        ("InventoryBelief.guess", False),
        ("lease_token", True),
        ("CAUSE_KEY_REUSED", True),
        ("domain/fence.py", True),
        ("domain/gate.py", False),
        ("zaiko stock receive", True),
        ("zaiko stock guess", False),
    ],
)
def test_what_does_not_exist_is_noticed(name: str, there: bool) -> None:
    assert exists(name) is there
