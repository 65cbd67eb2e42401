#!/usr/bin/env python3
"""Write the files that are made from the options of the protos (zaiko/v1/options.proto).

`proto/generate` runs this after it has written the stubs. tests/repo/test_catalogue.py fails when
a committed file differs.
"""

from __future__ import annotations

import importlib
import json
import re
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "proto" / "zaiko" / "v1"
_WIDTH = 100

_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_THROTTLING = {"maxTokens": 100, "tokenRatio": 0.1}

_OWNERS = '''"""Who must act: MERCHANT, PLATFORM or SYSTEM.

Made by proto/generate from proto/zaiko/v1; not written by hand. The engine has only the owners,
which observers receive; what to do is for the face, which reads it from the protos (ADR 0033).
"""

from __future__ import annotations

from collections.abc import Mapping

'''

_PAGE = """# What a reason means, and what to do

Every error of a call has one of these reasons, and so has every problem of a link, shop or run. A
reason is stable and its number is never used again. A call's error has it in
`google.rpc.ErrorInfo.reason`; `zaiko status`, `zaiko link list` and `zaiko runs` show it for a
problem. The owner says who must act: MERCHANT (the shop's people), PLATFORM (nobody here: zaiko
continues automatically) or SYSTEM (the caller, or the operator of the server). The list grows:
treat an unknown reason by its status code. A call with `accept-language: ja` gets the advice in
Japanese too.

This page is made from `proto/zaiko/v1/error.proto` by `proto/generate`.
"""


def files() -> dict[Path, str]:
    """Return each file that is made, with its text."""
    return {
        PROTOS / "service_config.json": service_config(),
        ROOT / "core" / "zaiko_core" / "domain" / "owners.py": owners(),
        ROOT / "docs" / "troubleshooting.md": troubleshooting(),
    }


def service_config() -> str:
    """Return deadlines and retries per method, for `grpc.service_config`."""
    groups: dict[tuple[int, bool], list[str]] = {}
    options = _module("options")
    for path in sorted(PROTOS.glob("*_service.proto")):
        file = _module(path.stem).DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                declared = method.GetOptions()
                deadline = declared.Extensions[options.method].deadline_seconds
                repeatable = deadline > 0 and declared.idempotency_level > 0
                name = f'{{"service": "{service.full_name}", "method": "{method.name}"}}'
                groups.setdefault((deadline, repeatable), []).append(name)
    parts = []
    for (deadline, repeatable), names in sorted(groups.items(), key=_by_deadline):
        lines = ['      "name": [\n        ' + ",\n        ".join(names) + "\n      ]"]
        lines.append('      "waitForReady": true')
        if deadline:
            lines.append(f'      "timeout": "{deadline}s"')
        if repeatable:
            lines.append(f'      "retryPolicy": {json.dumps(_RETRY)}')
        parts.append("    {\n" + ",\n".join(lines) + "\n    }")
    return (
        '{\n  "methodConfig": [\n'
        + ",\n".join(parts)
        + f'\n  ],\n  "retryThrottling": {json.dumps(_THROTTLING)}\n}}\n'
    )


def _by_deadline(group: tuple[tuple[int, bool], list[str]]) -> tuple[bool, int, bool]:
    (deadline, repeatable), _ = group
    return deadline == 0, deadline, not repeatable


def owners() -> str:
    """Return the engine's module of owners."""
    reasons, causes = _declared("error", "ErrorReason"), _declared("oversell", "Oversell.Cause")
    return (
        _OWNERS
        + _mapping("OF_REASONS", {name: entry.owner for name, entry in reasons.items()})
        + '"""By the reason of a problem."""\n\n'
        + _mapping("OF_CAUSES", {name: entry.owner for name, entry in causes.items()})
        + '"""By the cause of an oversell."""\n'
    )


def _mapping(name: str, items: dict[str, str]) -> str:
    lines = "".join(f'    "{key}": "{value}",\n' for key, value in items.items())
    return f"{name}: Mapping[str, str] = {{\n{lines}}}\n"


def troubleshooting() -> str:
    """Return the page with a section for each reason."""
    said = comments(PROTOS / "error.proto", "ERROR_REASON_")
    sections = [
        "\n".join(_section(reason, entry, said[reason])) + "\n"
        for reason, entry in sorted(_declared("error", "ErrorReason").items())
    ]
    return "\n".join([_PAGE, *sections])


def _section(reason: str, entry: Any, said: str) -> Iterator[str]:
    yield f"## {reason}\n"
    yield f"Owner {entry.owner}, status code {entry.code}.\n"
    yield _filled(said)
    differs = entry.HasField("call")
    yield from _advice("As a problem" if differs else "What to do", entry.advice)
    if differs:
        owner = f" (owner {entry.call.owner})" if entry.call.owner else ""
        yield from _advice(f"Of a call{owner}", entry.call.advice)


def _advice(label: str, advice: Any) -> Iterator[str]:
    yield ""
    yield _filled(f"**{label}:** {advice.en}")
    yield ""
    yield _filled(advice.ja)


def _filled(text: str) -> str:
    """Return the text in lines; Japanese breaks between sentences only."""
    if text.isascii():
        return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = [""]
    for sentence in re.findall(r"[^。]+。?", text):
        if lines[-1] and _width(lines[-1] + sentence) > _WIDTH:
            lines.append("")
        lines[-1] += sentence
    return "\n".join(lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def comments(path: Path, prefix: str) -> dict[str, str]:
    """Return the comment of each value of an enum, in one line, by its name without the prefix."""
    found: dict[str, str] = {}
    pending: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if match := re.match(r"\s*// ?(.*)", line):
            pending.append(match.group(1))
            continue
        if match := re.match(rf"\s*{prefix}(\w+) = \d+\b", line):
            found[match.group(1)] = " ".join(pending)
        pending = []
    found.pop("UNSPECIFIED", None)
    return found


def _declared(module: str, enum: str) -> dict[str, Any]:
    """Return what is declared of each value of an enum, by its name without the prefix."""
    extension, found = _module("options").reason, _module(module)
    for part in enum.split("."):
        found = getattr(found, part)
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum.rpartition(".")[2]).upper() + "_"
    return {
        name.removeprefix(prefix): value.GetOptions().Extensions[extension]
        for name, value in found.DESCRIPTOR.values_by_name.items()
        if not name.endswith("_UNSPECIFIED")
    }


def _module(name: str) -> Any:
    return importlib.import_module(f"zaiko.v1.{name}_pb2")


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, "utf-8")
    print("made from the options: " + ", ".join(str(path.relative_to(ROOT)) for path in files()))


if __name__ == "__main__":
    main()
