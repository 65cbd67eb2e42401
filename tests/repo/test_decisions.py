"""Decisions (docs/adr) have one form, and docs/adr/README.md lists them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tracked import ROOT, tracked

PAGES = [name for name in tracked() if re.fullmatch(r"docs/adr/\d{4}-.*\.md", name)]
PARTS = ("Context", "Decision", "Data flow", "Failure modes", "Consequences", "Rejected")
LINES, HEADER = 60, 8
"""The longest decision, and the longest one that was superseded."""


def faults(text: str, number: str) -> list[str]:
    """Return how the text of a decision with this number departs from the form."""
    found = [] if re.match(rf"# {number} · \S", text) else [f"the title is not '# {number} · …'"]
    parts = [part for part in re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.M) if part in PARTS]
    if "**Superseded** by [" in text:
        longest = HEADER
    else:
        longest = LINES
        if tuple(parts) != PARTS:
            found.append(f"its parts are {', '.join(parts) or 'none'}")
    if (lines := text.count("\n")) > longest:
        found.append(f"{lines} lines, more than {longest}")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_decision_has_the_form(page: str) -> None:
    assert faults((ROOT / page).read_text("utf-8"), Path(page).name[:4]) == []


def test_the_table_of_decisions_lists_each_one_by_its_title_and_status() -> None:
    rows = re.findall(
        r"^\| \[(\d{4})\]\((.+?)\) \| (.+?) \| (.+?) \|$",
        (ROOT / "docs/adr/README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    expected = []
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        by = re.search(r"^\*\*Superseded\*\* by \[(\d{4})\]", text, re.MULTILINE)
        status = f"superseded by {by[1]}" if by else "in force"
        title = text.splitlines()[0].split(" · ", 1)[1]
        expected.append((Path(page).name[:4], Path(page).name, title, status))
    assert rows == expected


FORM = "# 0001 · Title\n\n" + "\n\n".join(f"**{part}.** Text." for part in PARTS) + "\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FORM, []),
        (FORM.replace("0001", "0002"), ["the title is not '# 0001 · …'"]),
        (
            FORM.replace("**Data flow.** Text.\n\n", ""),
            ["its parts are Context, Decision, Failure modes, Consequences, Rejected"],
        ),
        (FORM + "\n" * 60, ["73 lines, more than 60"]),
        ("# 0001 · Title\n\n**Superseded** by [0002](0002-title.md).\n", []),
        (
            "# 0001 · Title\n\n**Superseded** by [0002](0002-title.md).\n" + "\n" * 60,
            ["63 lines, more than 8"],
        ),
    ],
)
def test_a_departure_from_the_form_is_noticed(text: str, found: list[str]) -> None:
    assert faults(text, "0001") == found
