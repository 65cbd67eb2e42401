"""Every document, section, decision and migration that the repository cites exists, and decisions
that are cited are in force.

`python tests/repo/test_references.py PATH...` prints what is dangling below these paths.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from tracked import ROOT, tracked

READ = (
    ".md",
    ".py",
    ".proto",
    ".json",
    ".toml",
    ".yaml",
    ".yml",
    ".graphql",
    ".graphqls",
    "Makefile",
    ".ci/run",
)
EXEMPT = ("proto/gen/", "tests/repo/")
"""What is generated, and examples of tests."""

_GAP = r"\s+(?:(?://|#)\s*)?"
"""White space, also across the lines of a comment."""
_NUMBER = r"\d+(?:\.\d+)*"
_SECTIONS = re.compile(rf"§ ?({_NUMBER})((?:(?:,|{_GAP}(?:and|or|to)|;){_GAP}§ ?{_NUMBER})*)")
_PAGE = re.compile(r"(?<![\w./:{}*<>-])((?:[\w.-]+/)*[\w-]+\.md)\b")
_DECISIONS = re.compile(rf"ADRs?{_GAP}(\d{{4}}(?:(?:,|{_GAP}(?:and|or)){_GAP}\d{{4}})*)")
_DECISION = re.compile(r"(?<![\w.,-])0\d{3}(?![\w%-]|[.,]\d)")
"""How decisions cite each other."""
_MIGRATION = re.compile(rf"migrations?{_GAP}(\d{{4}})")
_LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
_ELSEWHERE = re.compile(r"(RFC \d+|JSON Schema [\d-]+,)$")
_BEFORE = re.compile(r"([\w./-]+\.md)\)?,?$")


@dataclass(frozen=True)
class Tree:
    """Files by their names relative to a root, and which of them exist."""

    root: Path
    names: tuple[str, ...]

    @cached_property
    def existing(self) -> frozenset[str]:
        """The names of the files and of their folders."""
        folders = {str(folder) for name in self.names for folder in Path(name).parents}
        return frozenset(self.names) | folders

    @cached_property
    def bare(self) -> frozenset[str]:
        """The names of the files without their folders: «each README.md» means any of them."""
        return frozenset(Path(name).name for name in self.names)

    @cached_property
    def superseded(self) -> Mapping[str, str]:
        """The numbers of superseded decisions, with the number that supersedes each."""
        pages = [name for name in self.names if name.startswith("docs/adr/0")]
        found = {
            page: re.search(r"^\*\*Superseded\*\* by \[(\d{4})\]", self.text(page), re.M)
            for page in pages
        }
        return {Path(page).name[:4]: by[1] for page, by in found.items() if by}

    def text(self, name: str) -> str:
        """Return the text of a file."""
        return (self.root / name).read_text("utf-8")

    def page(self, name: str, cited: str) -> str | None:
        """Return the page that the file `name` means by `cited`, or None: beside it, at the root
        of its distribution, at the root of the repository, or in docs."""
        folders = [*map(str, Path(name).parents), "docs", "docs/operations"]
        places = (_plain(f"{folder}/{cited}") for folder in folders)
        return next((place for place in places if place in self.existing), None)

    def headings(self, page: str) -> list[str]:
        """Return the headings of a page, without code blocks."""
        text = re.sub(r"^```.*?^```$", "", self.text(page), flags=re.MULTILINE | re.DOTALL)
        return re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)

    def has_section(self, page: str, number: str) -> bool:
        """Whether a page has a heading with this number."""
        return any(re.match(rf"{re.escape(number)}[. ]", line) for line in self.headings(page))

    def has_anchor(self, page: str, anchor: str) -> bool:
        """Whether a heading of the page has this anchor, by GitHub's rule."""
        slugs = (re.sub(r"[^\w\- ]", "", line.lower()) for line in self.headings(page))
        return anchor in {slug.replace(" ", "-") for slug in slugs}


def _plain(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def dangling(tree: Tree, names: Iterable[str]) -> list[str]:
    """Return what files with these names cite that does not exist: `file:line: what`."""
    found = []
    for name in names:
        text = tree.text(name)
        for at, what in _dangling_of(tree, name, text):
            found.append(f"{name}:{text.count(chr(10), 0, at) + 1}: {what}")
    return list(dict.fromkeys(found))


def _dangling_of(tree: Tree, name: str, text: str) -> Iterator[tuple[int, str]]:
    for match in _PAGE.finditer(text):
        if tree.page(name, match[1]) is None and match[1] not in tree.bare:
            yield match.start(), match[1]
    for match in _SECTIONS.finditer(text):
        for number in re.findall(_NUMBER, match[0]):
            if (missing := _missing_section(tree, name, text[: match.start()], number)) is not None:
                yield match.start(), missing
    for at, number in _decisions(name, text):
        if not any(other.startswith(f"docs/adr/{number}-") for other in tree.names):
            yield at, f"ADR {number}"
        elif number in tree.superseded and not name.startswith("docs/adr/"):
            yield at, f"ADR {number}, which {tree.superseded[number]} supersedes"
    for match in _MIGRATION.finditer(text):
        if not any(f"/migrations/versions/{match[1]}_" in other for other in tree.names):
            yield match.start(), f"migration {match[1]}"
    if name.endswith(".md"):
        yield from _dangling_links(tree, name, text)


def _decisions(name: str, text: str) -> Iterator[tuple[int, str]]:
    for match in _DECISIONS.finditer(text):
        for number in re.findall(r"\d{4}", match[1]):
            yield match.start(), number
    if name.startswith("docs/adr/") or name == "ARCHITECTURE.md":
        for match in _DECISION.finditer(text):
            if not re.search(r"migrations?\s$", text[: match.start()]):
                yield match.start(), match[0]


def _missing_section(tree: Tree, name: str, before: str, number: str) -> str | None:
    """Return what is missing when `name` cites a section after the text `before`, or None."""
    said = re.sub(_GAP, " ", before[-120:]).rstrip(" (`\"'")
    if _ELSEWHERE.search(said):
        return None
    if match := _BEFORE.search(said):
        cited = match[1]
    elif name.endswith(".md"):
        cited = Path(name).name
    elif name.startswith("plugins/"):
        cited = "FACTS.md"
    elif said.endswith('"source":'):
        return None  # an example of an index of recorded bodies
    else:
        return f"§{number} of which document?"
    page = tree.page(name, cited)
    if page is None and name.endswith(".md") and cited in tree.bare:
        return None  # «cite it in the code (`FACTS.md §6`)»: any of them
    if page is None or not tree.has_section(page, number):
        return f"{cited} §{number}"
    return None


def _dangling_links(tree: Tree, name: str, text: str) -> Iterator[tuple[int, str]]:
    for match in _LINK.finditer(re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), text)):
        path, anchor = match.groups()
        if re.match(r"\w+:", path):
            continue
        page = _plain(f"{Path(name).parent}/{path}") if path else name
        if page not in tree.existing and page != "":
            yield match.start(), path
        elif anchor and page.endswith(".md") and not tree.has_anchor(page, anchor):
            yield match.start(), f"{path}#{anchor}"


def cited_in(names: Iterable[str]) -> list[str]:
    """Return those files that are read for citations."""
    return [
        name for name in names if name.endswith(READ) and not any(part in name for part in EXEMPT)
    ]


def test_everything_that_is_cited_exists() -> None:
    assert dangling(Tree(ROOT, tracked()), cited_in(tracked())) == []


FILES = {
    "docs/domain.md": "# The domain\n\n## 2. Terms\n\n### Each order counts once\n",
    "docs/adr/0004-the-fence.md": "# 0004 · The fence\n",
    "docs/adr/0007-old.md": "# 0007 · Old\n\n**Superseded** by [0004](0004-the-fence.md).\n",
    "core/storage/migrations/versions/0017_field_words.py": "",
    "plugins/mall/FACTS.md": "# Facts\n\n## 5. Stock\n\n### 5.1 States\n",
    "plugins/mall/src/stock.py": "",
}


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("core/stock.py", '"""Arithmetic (domain.md §2, ADR 0004)."""', []),
        ("core/stock.py", '"""Arithmetic (domain.md §9)."""', ["1: domain.md §9"]),
        ("core/stock.py", '"""Arithmetic (api.md\n§10)."""', ["1: api.md", "2: api.md §10"]),
        ("core/stock.py", "# See ADRs 0004 and\n# 0099.\n", ["1: ADR 0099"]),
        ("core/stock.py", "# See ADR 0007.\n", ["1: ADR 0007, which 0004 supersedes"]),
        ("docs/adr/0005-next.md", "It includes (0007).\n", []),
        ("core/stock.py", "# See §3.\n", ["1: §3 of which document?"]),
        ("core/stock.py", "# Each FACTS.md has a §9 (FACTS.md §5).\n",
         ["1: §9 of which document?", "1: FACTS.md §5"]),
        ("core/stock.py", "# See RFC 9110 §15.6.4.\n", []),
        ("core/stock.py", "# Since migration 0017, not 0016 (migration 0018).\n",
         ["1: migration 0018"]),
        ("plugins/mall/src/orders.py", "# The fact sheet §5 and §5.1 say so.\n", []),
        ("plugins/mall/src/orders.py", "# fact sheet §5, §6\n", ["1: FACTS.md §6"]),
        ("plugins/mall/index.json", '{"a.json": {"source": "§7"}}', ["1: FACTS.md §7"]),
        ("plugins/hall/src/orders.py", "# fact sheet §5\n", ["1: FACTS.md §5"]),
        ("docs/adr/0005-next.md", "As in (0004), not 0001.\n", ["1: ADR 0001"]),
        ("docs/page.md", "[rule](domain.md#each-order-counts-once) [x](#here)\n\n# Here\n", []),
        ("docs/page.md", "[rule](domain.md#each-order)\n", ["1: domain.md#each-order"]),
        ("docs/page.md", "Cite it in the code (`FACTS.md §6`), not domain.md §9.\n",
         ["1: domain.md §9"]),
        ("docs/page.md", "[rule](../core/) [rule](../gone/)\n", ["1: ../gone/"]),
        ("docs/page.md", "`call[x](y)` and [web](https://example.com/a.md)\n", []),
    ],
)  # fmt: skip
def test_a_citation_of_nothing_is_noticed(
    tmp_path: Path, name: str, text: str, found: list[str]
) -> None:
    for other, content in {**FILES, name: text}.items():
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_text(content, "utf-8")
    tree = Tree(tmp_path, (*FILES, name))
    assert dangling(tree, [name]) == [f"{name}:{where}" for where in found]


if __name__ == "__main__":
    below = tuple(_plain(str(Path(path).resolve().relative_to(ROOT))) for path in sys.argv[1:])
    chosen = [name for name in cited_in(tracked()) if not below or name.startswith(below)]
    print("\n".join(dangling(Tree(ROOT, tracked()), chosen)))
