"""Every RPC has somebody who calls it: the command line, or programs by a reason in
proto/README.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _rpcs() -> set[str]:
    protos = (ROOT / "proto/zaiko/v1").glob("*_service.proto")
    return {
        name for path in protos for name in re.findall(r"\brpc (\w+)\(", path.read_text("utf-8"))
    }


def _called() -> set[str]:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "cli").rglob("*.py"))
    return {name for name in _rpcs() if re.search(rf"\.{name}\b", text)}


def _for_programs() -> set[str]:
    page = (ROOT / "proto/README.md").read_text("utf-8")
    table = page.partition("## Methods for programs")[2].partition("\n## ")[0]
    return set(re.findall(r"`\w+Service\.(\w+)`", table))


def test_the_command_line_calls_every_rpc_that_is_not_for_programs() -> None:
    assert _rpcs() - _called() == _for_programs()
