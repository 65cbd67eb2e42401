"""docs/troubleshooting.md has a section for each reason, made from what the protos and the server
say of it.

`python tests/repo/test_troubleshooting.py` writes it anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from zaiko_core.domain.problem import REMEDIES
from zaiko_server import remedies
from zaiko_server.reasons import REASONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
_HEAD = """# What a reason means, and what to do

Every error of a call, and every problem of a link, shop or run, has one of these reasons: stable,
never reused. A call's error has it in `google.rpc.ErrorInfo.reason`; `zaiko status`, `zaiko link
list` and `zaiko runs` show it of a problem. The owner is who must act: MERCHANT (the shop's
people), PLATFORM (nobody here; zaiko goes on by itself) or SYSTEM (the caller, or who runs the
server). New reasons are added: treat an unknown one by its status code. A call with `accept-
language: ja` is told in Japanese, too.

This page is made from `proto/zaiko/v1/error.proto` and checked by a test.
"""


def comments() -> dict[str, str]:
    """What error.proto says of each reason, in one line."""
    text = (ROOT / "proto" / "zaiko" / "v1" / "error.proto").read_text("utf-8")
    found: dict[str, str] = {}
    pending: list[str] = []
    for line in text.splitlines():
        if match := re.match(r"\s*// ?(.*)", line):
            pending.append(match.group(1))
            continue
        if match := re.match(r"\s*ERROR_REASON_(\w+) = \d+;", line):
            found[match.group(1)] = " ".join(pending)
        pending = []
    found.pop("UNSPECIFIED", None)
    return found


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for reason, said in sorted(comments().items()):
        part = [f"## {reason}", "", said]
        if reason in REMEDIES:
            part += [
                "",
                f"As a problem: {REMEDIES[reason].action_en}",
                "",
                REMEDIES[reason].action_ja,
            ]
        call = remedies.of_call(reason).ja
        if call not in part:
            part += ["", call]
        parts.append("\n".join(part) + "\n")
    return "\n".join(parts)


def test_every_reason_has_its_section_as_protos_and_server_say() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_the_protos_and_the_server_know_the_same_reasons() -> None:
    assert sorted(comments()) == sorted(REASONS)


def test_every_remedy_is_of_a_reason_and_speaks_both_languages() -> None:
    assert set(REMEDIES) <= set(REASONS)
    assert not [
        reason
        for reason, remedy in REMEDIES.items()
        if not (remedy.action_en.strip() and remedy.action_ja.strip())
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
