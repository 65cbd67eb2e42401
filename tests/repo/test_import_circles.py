"""No module of the house imports another one that, directly or not, imports it: whoever reads a
module can begin with what it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "core",
    "server",
    "cli",
    "plugins/*/src",
    "examples/connector-template/src",
    "examples/notifier/src",
)
GENERATED = "gen"


def modules() -> dict[str, Path]:
    """Return every module of the house by its name."""
    found: dict[str, Path] = {}
    for pattern in SOURCES:
        for source in ROOT.glob(pattern):
            for path in source.rglob("*.py"):
                parts = path.relative_to(source).with_suffix("").parts
                if path.parent != source and GENERATED not in parts:
                    found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return the modules of `known` that a module imports, wherever in it the import stands."""
    return set(_imported(name, ast.parse(path.read_text("utf-8")), known)) - {name}


def _imported(name: str, tree: ast.Module, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                if module in known:
                    yield module
                elif node.module in known:
                    yield node.module


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return sorted(found)


def test_no_module_is_in_an_import_circle() -> None:
    known = modules()
    graph = {name: imported(name, path, known) for name, path in known.items()}

    assert len(graph) > 300
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_a_circle_would_be_noticed(graph: dict[str, set[str]], expected: list[list[str]]) -> None:
    assert circles(graph) == expected
