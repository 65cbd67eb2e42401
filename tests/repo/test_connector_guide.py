"""docs/connectors.md is true: its code runs, what it quotes is in the template, and every name
exists."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import zaiko_sdk
import zaiko_sdk.hooks
import zaiko_sdk.testing
from zaiko_cli.app import app

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "connector-template"
GUIDE = (ROOT / "docs" / "connectors.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
QUOTED = [
    (text.split("\n", 1)[0][2:], text.split("\n", 1)[1])
    for _, text in BLOCKS
    if text.startswith("# ")
]
RUN = [text for kind, text in BLOCKS if kind == "python" and not text.startswith("# ")]
PROSE = re.sub(r"^```.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL)

NOT_OURS = {"SecretStr", "pytest", "updated_at", "visible_after"}
"""Of pydantic, of the platforms, and an option of simulators' orders."""


def test_there_is_something_to_check() -> None:
    assert len(QUOTED) >= 3
    assert len(RUN) >= 5


@pytest.mark.parametrize(("path", "text"), QUOTED)
def test_what_is_quoted_is_in_the_template(path: str, text: str) -> None:
    assert text in (TEMPLATE / path).read_text("utf-8")


@pytest.mark.parametrize("number", range(len(RUN)))
def test_code_runs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TEMPLATE / "src"))

    exec(
        compile(RUN[number], f"docs/connectors.md, code {number}", "exec", dont_inherit=True),
        {"__name__": "guide"},
    )


def test_commands_exist() -> None:
    named = {
        command.name or (command.callback.__name__ if command.callback else "")
        for command in app.registered_commands
    }
    commands = {name.replace("_", "-") for name in named}
    written = re.findall(r"\$ zaiko ([a-z-]+)", GUIDE) + re.findall(r"`zaiko ([a-z-]+)", GUIDE)

    assert written
    assert set(written) <= commands


def test_files_exist() -> None:
    package = TEMPLATE / "src" / "zaiko_example"
    written = re.findall(r"`((?:plugins/[\w/]+|simulator/|tests/data|[a-z_]+)(?:\.py|/)?)`", PROSE)
    files = {name for name in written if "/" in name or name.endswith(".py")}

    assert len(files) > 10
    assert [
        name
        for name in files
        if not any((base / name).exists() for base in (ROOT, TEMPLATE, package))
    ] == []
    linked = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    assert [link for link in linked if not (ROOT / "docs" / link).exists()] == []


def test_every_name_exists() -> None:
    names = [
        f"zaiko_sdk.testing.{item.name}"
        for item in pkgutil.iter_modules(zaiko_sdk.testing.__path__)
    ]
    spaces = [zaiko_sdk, zaiko_sdk.hooks.Hooks, *map(importlib.import_module, names)]
    known = {name: thing for space in spaces for name, thing in vars(space).items()}
    members = set().union(*(_members(kind) for kind in known.values() if isinstance(kind, type)))
    written = set(re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)?)`", PROSE)) - NOT_OURS
    unknown = []
    for name in sorted(written):
        owner, _, member = name.partition(".")
        found = (
            member in _members(known[owner])
            if member and owner in known
            else name in known.keys() | members
        )
        if not found and not name.endswith((".py", ".toml", ".md")):
            unknown.append(name)

    assert unknown == []
    assert len(written) > 60


def _members(kind: Any) -> set[str]:
    """Attributes, fields, and the parameters of methods."""
    methods = (
        [method for method in vars(kind).values() if inspect.isfunction(method)]
        if isinstance(kind, type)
        else []
    )
    parameters = {name for method in methods for name in inspect.signature(method).parameters}
    return set(dir(kind)) | set(getattr(kind, "__annotations__", ())) | parameters
