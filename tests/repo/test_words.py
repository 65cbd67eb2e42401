"""The words of the house: no retired identifier, no public class name twice, docstrings that begin
with a verb, no phrase that a reader stumbles over.

`python tests/repo/test_words.py PATH...` prints what is left below these paths.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest
from tracked import ROOT, tracked

WORDS = Path(__file__).parent / "words"
EXEMPT = (
    "proto/gen/",
    "migrations/versions/",
    "CHANGELOG.md",
    "docs/operations/upgrade.md",  # which says what was renamed
    "tests/data/",  # what older releases wrote, and the code that had them write it
    "tests/store/test_upgrade.py",  # which names an older release's columns
    "tests/repo/",
)
PRODUCT = ("core/", "server/", "cli/", "plugins/")
"""Where docstrings of functions are checked; tests are named by their rules instead."""

_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT INTO|DELETE FROM|CREATE TRIGGER)\s")
_GAP = r"\s+(?:(?://|#)\s*)?"
"""White space, also across the lines of a comment."""
_TEXT = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_PROPERTIES = {"property", "cached_property", "setter"}


def entries(text: str) -> dict[str, str]:
    """Return the entries of a word list with what to write instead."""
    pairs = (line.partition("\t") for line in text.splitlines() if line and line[0] != "#")
    return {word: instead for word, _, instead in pairs}


@cache
def listed(name: str) -> dict[str, str]:
    """Return the entries of a committed word list."""
    return entries((WORDS / name).read_text("utf-8"))


@dataclass(frozen=True)
class Source:
    """A file by its name relative to the root, and its text."""

    name: str
    text: str

    @property
    def is_product(self) -> bool:
        """Whether it is code that is shipped."""
        return self.name.startswith(PRODUCT) and "/tests/" not in self.name

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word in the file, in lower case."""
        return frozenset(re.findall(r"\w+", self.text.lower()))

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        """The tokens of a Python file."""
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text)


@cache
def sources(*endings: str) -> tuple[Source, ...]:
    """Return the tracked files with these endings that are not exempt."""
    names = [name for name in tracked() if name.endswith(endings)]
    return tuple(
        Source(name, (ROOT / name).read_text("utf-8"))
        for name in names
        if not any(part in name for part in EXEMPT)
    )


def identifiers(source: Source) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each identifier of a Python or proto file, the words of SQL texts,
    and strings that are a name of several words, such as a column's."""
    if source.name.endswith(".proto"):
        for number, line in enumerate(source.text.splitlines(), 1):
            for word in re.findall(r"\w+", re.sub(r"\"[^\"]*\"|//.*", "", line)):
                yield number, word
        return
    for token in source.tokens:
        if token.type == tokenize.NAME:
            yield token.start[0], token.string
        elif token.type == tokenize.STRING and _SQL.search(token.string):
            for word in re.findall(r"\w+", token.string):
                yield token.start[0], word
        elif token.type == tokenize.STRING and re.fullmatch(r"\"\w+_\w+\"", token.string):
            yield token.start[0], token.string[1:-1]


def retired(found: Iterable[Source]) -> list[str]:
    """Return where a retired identifier is used."""
    words = listed("retired_identifiers.txt")
    lowered = {word.lower() for word in words}
    return [
        f"{source.name}:{line}: {name} -> {words[name]}"
        for source in found
        if not lowered.isdisjoint(source.words)  # reading the tokens of every file is slow
        for line, name in identifiers(source)
        if name in words
    ]


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and docstring of each function and method that is not a property."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                continue  # a rule of the connector contract: its docstring is the rule's statement
            decorators = {ast.unparse(item).split(".")[-1] for item in node.decorator_list}
            text = ast.get_docstring(node)
            if text and not decorators & _PROPERTIES:
                yield node.lineno, text


def not_verbs(found: Iterable[Source]) -> list[str]:
    """Return where a docstring does not begin with a verb."""
    words = listed("first_words.txt")
    return [
        f"{source.name}:{line}: {text.splitlines()[0]}"
        for source in found
        if source.is_product
        for line, text in docstrings(source.tree)
        if re.split(r"[^\w-]", text, maxsplit=1)[0].lower() in words
    ]


def prose(source: Source) -> str:
    """Return the text of a file that people read, in its lines: comments and strings of code, pages
    whole."""
    if source.name.endswith(".md"):
        return source.text
    lines = source.text.splitlines()
    if source.name.endswith(".proto"):
        return "\n".join(line if line.lstrip().startswith("//") else "" for line in lines)
    kept = [""] * (len(lines) + 1)
    for token in source.tokens:
        if token.type in _TEXT:
            for offset, line in enumerate(token.string.splitlines()):
                kept[token.start[0] - 1 + offset] += " " + line
    return "\n".join(kept)


@cache
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    words = [re.escape(phrase).replace(r"\ ", _GAP) for phrase in phrases]
    return re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)


def phrases(found: Iterable[Source]) -> list[str]:
    """Return where a phrase of the list is used."""
    listing, used = listed("phrases.txt"), []
    parts = {phrase: frozenset(re.findall(r"\w+", phrase.lower())) for phrase in listing}
    for source in found:
        possible = tuple(phrase for phrase, words in parts.items() if words <= source.words)
        if not possible:
            continue
        text = prose(source)
        for match in _pattern(possible).finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            said = re.sub(_GAP, " ", match[1]).lower()
            used.append(f"{source.name}:{line}: {said} -> {listing[said]}")
    return used


def doubled(found: Iterable[Source] | None = None) -> list[str]:
    """Return the public class names that two modules of the framework define, or two of one
    connector, or a connector and the SDK. Connectors may be alike: each is a distribution of its
    own."""
    homes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for source in sources(".py") if found is None else found:
        if not source.is_product:
            continue
        name = source.name
        room = name.split("/")[1] if name.startswith("plugins/") else "framework"
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[room][node.name].append(name)
    sdk = {name for name, paths in homes["framework"].items() if "/zaiko_sdk/" in paths[0]}
    return [
        f"{name}: {', '.join(paths)}"
        for room, names in homes.items()
        for name, paths in names.items()
        if len(paths) > 1 or (room != "framework" and name in sdk)
    ]


def test_no_retired_identifier_is_used() -> None:
    assert retired(sources(".py", ".proto")) == []


def test_no_public_class_name_is_used_twice() -> None:
    assert doubled() == []


def test_docstrings_begin_with_a_verb() -> None:
    assert not_verbs(sources(".py")) == []


def test_no_phrase_of_the_list_is_used() -> None:
    assert phrases(sources(".py", ".proto", ".md")) == []


@pytest.mark.parametrize("name", ["retired_identifiers.txt", "phrases.txt"])
def test_each_entry_of_a_list_says_what_to_write_instead(name: str) -> None:
    text = (WORDS / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    assert [word for word, instead in entries(text).items() if not instead.strip()] == []
    assert len(lines) == len(entries(text)), "an entry stands twice"


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("m.py", "class Fence: ...\n", [1]),
        ("m.py", 'q = "UPDATE shops SET touched = 1"\n', [1]),
        ("m.py", "x = 1\nlook(x)\n", [2]),
        ("m.py", 'Column("flight_key")\nColumn("taken_over_at", Text)\n', [2]),
        ("m.py", '"""The fence of a look."""\n# touched\nf = "look"\n', []),
        ("m.proto", 'message Fence {} // look\n// Fence\noption x = "look";\n', [1]),
        ("m.proto", "message M {\n  int32 doubt = 1; // https://example.com/look\n}\n", [2]),
    ],
)
def test_a_retired_identifier_is_noticed(name: str, text: str, lines: list[int]) -> None:
    assert [int(row.split(":")[1]) for row in retired([Source(name, text)])] == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('def f():\n    """The next due shop."""\n', [1]),
        ('class C:\n    async def f(self):\n        """What is due."""\n', [2]),
        ('def f():\n    """Return the next due shop."""\n', []),
        ('class C:\n    """The shops."""\n', []),
        ('class C:\n    @property\n    def f(self):\n        """The next."""\n', []),
        (
            'class C:\n    @functools.cached_property\n    def f(self):\n        """The next."""\n',
            [],
        ),
        ('@decorated\ndef f():\n    """Those that are due."""\n', [2]),
        ('def f():\n    """Theory: …"""\n', []),
    ],
)
def test_a_docstring_without_a_verb_is_noticed(text: str, lines: list[int]) -> None:
    found = not_verbs([Source("core/zaiko_core/m.py", text)])
    assert [int(row.split(":")[1]) for row in found] == lines
    assert not_verbs([Source("tests/unit/m.py", text)]) == []


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("m.py", "# Whoever\n# holds it.\n", [1]),
        ("m.py", 'x = 1\nraise E("does so by itself")\n', [2]),
        ("m.py", '"""One.\n\nNot any\nmore.\n"""\n', [3]),
        ("m.py", "anew = 1\n", []),
        ("m.py", "# newanew, anewer\n", []),
        ("m.proto", "// It is not read any\n// more.\nmessage Anew {}\n", [1]),
        ("m.md", "Begin\nanew.\n", [2]),
    ],
)
def test_a_phrase_is_noticed(name: str, text: str, lines: list[int]) -> None:
    assert [int(row.split(":")[1]) for row in phrases([Source(name, text)])] == lines


@pytest.mark.parametrize(
    ("names", "is_doubled"),
    [
        (("core/zaiko_core/a.py", "server/zaiko_server/b.py"), True),
        (("plugins/base/src/a.py", "plugins/base/src/b.py"), True),
        (("plugins/base/src/a.py", "core/zaiko_sdk/b.py"), True),
        (("plugins/base/src/a.py", "core/zaiko_core/b.py"), False),
        (("plugins/base/src/a.py", "plugins/rakuten/src/b.py"), False),
        (("core/zaiko_core/a.py", "tests/unit/b.py"), False),
    ],
)
def test_a_class_name_that_is_used_twice_is_noticed(
    names: tuple[str, str], is_doubled: bool
) -> None:
    found = doubled([Source(name, "class Line: ...\nclass _Own: ...\n") for name in names])
    assert bool(found) is is_doubled


if __name__ == "__main__":
    below = tuple(
        str(Path(path).resolve().relative_to(ROOT)).removeprefix(".") for path in sys.argv[1:]
    )
    chosen = [
        source
        for source in sources(".py", ".proto", ".md")
        if not below or source.name.startswith(below)
    ]
    code = [source for source in chosen if not source.name.endswith(".md")]
    python = [source for source in chosen if source.name.endswith(".py")]
    for row in [*retired(code), *not_verbs(python), *phrases(chosen)]:
        print(row)
