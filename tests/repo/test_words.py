"""The words of the house: no retired identifier, no public class name twice, docstrings that begin
with a verb, no phrase that a reader stumbles over.

`python tests/repo/test_words.py PATH...` prints what is left below these paths.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = Path(__file__).parent / "words"
EXEMPT = (
    "proto/gen/",
    "migrations/versions/",
    "CHANGELOG.md",
    "docs/glossary.md",
    "docs/domain.md",
    "tests/data/",  # what older releases wrote, and the code that had them write it
)
EXEMPT += ("tests/repo/", "uv.lock", "LICENSE")
PRODUCT = ("core/", "server/", "cli/", "plugins/")
"""Where docstrings of functions are checked; tests are named by their rules instead."""


def listed(name: str) -> dict[str, str]:
    """Return the entries of a word list with what to write instead."""
    lines = (WORDS / name).read_text("utf-8").splitlines()
    pairs = (line.partition("\t") for line in lines if line and not line.startswith("#"))
    return {word: instead for word, _, instead in pairs}


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """Return the tracked files with these endings that are not exempt."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    paths = [name for name in names if name.endswith(endings)]
    kept = (name for name in paths if not any(part in name for part in EXEMPT))
    return tuple(ROOT / name for name in kept if (ROOT / name).exists())


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each identifier of a Python or proto file, and the words of SQL
    texts in Python."""
    text = path.read_text("utf-8")
    if path.suffix == ".proto":
        for number, line in enumerate(text.splitlines(), 1):
            for word in re.findall(r"\w+", re.sub(r"//.*|\"[^\"]*\"", "", line)):
                yield number, word
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string
        elif token.type == tokenize.STRING and re.search(
            r"\b(SELECT|UPDATE|INSERT INTO|DELETE FROM|CREATE TRIGGER)\s", token.string
        ):
            for word in re.findall(r"\w+", token.string):
                yield token.start[0], word


def retired(paths: Sequence[Path]) -> list[str]:
    """Return where a retired identifier is used."""
    words = listed("retired_identifiers.txt")
    return [
        f"{path.relative_to(ROOT)}:{line}: {name} -> {words[name]}"
        for path in paths
        for line, name in identifiers(path)
        if name in words
    ]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and docstring of each function and method."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            is_property = any(
                isinstance(item, ast.Name) and item.id in ("property", "cached_property")
                for item in node.decorator_list
            )
            if text and not is_property:
                yield node.lineno, text


def not_verbs(paths: Sequence[Path]) -> list[str]:
    """Return where a docstring does not begin with a verb."""
    words = listed("first_words.txt")
    return [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in paths
        if str(path.relative_to(ROOT)).startswith(PRODUCT) and "/tests/" not in str(path)
        for line, text in docstrings(path)
        if re.split(r"[^\w-]", text, maxsplit=1)[0].lower() in words
    ]


def prose(path: Path) -> str:
    """Return the text of a file that people read: comments and strings of code, pages whole."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    if path.suffix == ".proto":
        return "\n".join(
            line if line.lstrip().startswith("//") else "" for line in text.splitlines()
        )
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for offset, line in enumerate(token.string.splitlines()):
                lines[token.start[0] - 1 + offset] += " " + line
    return "\n".join(lines)


def phrases(paths: Sequence[Path]) -> list[str]:
    """Return where a phrase of the list is used."""
    words = listed("phrases.txt")
    pattern = re.compile(
        r"\b("
        + "|".join(re.escape(word).replace(r"\ ", r"\s+(?://|#)?\s*") for word in words)
        + r")\b",
        re.IGNORECASE,
    )
    found = []
    for path in paths:
        text = prose(path)
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            said = re.sub(r"\s+(?://|#)?\s*", " ", match.group(1)).lower()
            found.append(f"{path.relative_to(ROOT)}:{line}: {said} -> {words.get(said, '')}")
    return found


def doubled() -> list[str]:
    """Return the public class names that two modules of the framework define, or one connector twice,
    or a connector and the SDK. Connectors may be alike: they are separate distributions."""  # noqa: E501
    homes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in files(".py"):
        name = str(path.relative_to(ROOT))
        if not name.startswith(PRODUCT) or "/tests/" in name:
            continue
        room = name.split("/")[1] if name.startswith("plugins/") else "framework"
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[room][node.name].append(name)
    sdk = {name for name, paths in homes["framework"].items() if "zaiko_sdk/" in paths[0]}
    found = []
    for room, names in homes.items():
        for name, paths in names.items():
            if len(paths) > 1 or (room != "framework" and name in sdk):
                found.append(f"{name}: {', '.join(paths)}")
    return found


def test_no_retired_identifier_is_used() -> None:
    assert retired(files(".py", ".proto")) == []


def test_no_public_class_name_is_used_twice() -> None:
    assert doubled() == []


def test_docstrings_begin_with_a_verb() -> None:
    assert not_verbs(files(".py")) == []


def test_no_phrase_of_the_list_is_used() -> None:
    assert phrases(files(".py", ".proto", ".md")) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("class Fence: ...\n", 1),
        ('q = "UPDATE shops SET touched = 1"\n', 1),
        ("x = 1\nlook(x)\n", 2),
    ],
)
def test_a_retired_identifier_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: int
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(text, "utf-8")
    assert [found.split(":")[1] for found in retired([path])] == [str(line)]


if __name__ == "__main__":
    below = tuple(str((ROOT / name).resolve()) for name in sys.argv[1:] or ["."])
    chosen = [path for path in files(".py", ".proto", ".md") if str(path).startswith(below)]
    code = [path for path in chosen if path.suffix != ".md"]
    python = [path for path in chosen if path.suffix == ".py"]
    for row in [*retired(code), *not_verbs(python), *phrases(chosen)]:
        print(row)
