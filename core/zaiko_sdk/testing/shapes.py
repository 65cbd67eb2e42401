"""Compares the form in which a simulator says things with the platform's recorded bodies: keys and
types, never values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded reply of a platform: a file beside an `index.json` that says where it comes
    from.

    `source` is the section of the connector's FACTS.md. `grade` is the grade of evidence there, or
    UNCONFIRMED where the form is the most plausible one. `body` is the file as it is.
    """

    name: str
    status: int
    source: str
    grade: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the body's JSON. Raises ValueError when it is none."""
        return json.loads(self.body)


def recorded(folder: Path) -> dict[str, Recorded]:
    """Return the recorded replies of a folder by file name without its ending. Raises ValueError
    when a file is not in the index, or an entry of the index has no file."""
    index = json.loads((folder / "index.json").read_text("utf-8"))
    files = {path.name for path in folder.iterdir()} - {"index.json"}
    if files != index.keys():
        raise ValueError(f"files and index differ: {sorted(files ^ index.keys())}")
    return {
        name.partition(".")[0]: Recorded(
            name.partition(".")[0],
            entry.get("status", 200),
            entry["source"],
            entry["grade"],
            (folder / name).read_bytes(),
            entry.get("headers", {}),
        )
        for name, entry in index.items()
    }


def differences(recorded: Any, replied: Any, where: str = "$") -> list[str]:
    """Return how `replied` differs in form from `recorded`, or an empty list.

    Keys must be the same and values of the same type. null fits everything, since it says nothing
    about the type; an empty list fits every list. Each entry of a list must have the form of one of
    the recorded entries.
    """
    return list(_differences(recorded, replied, where))


def _differences(recorded: Any, replied: Any, where: str) -> Iterator[str]:
    if recorded is None or replied is None:
        return
    if _kind(recorded) != _kind(replied):
        yield f"{where}: {_kind(replied)} where {_kind(recorded)} was recorded"
    elif isinstance(recorded, dict):
        for key in sorted(recorded.keys() - replied.keys()):
            yield f"{where}.{key}: missing"
        for key in sorted(replied.keys() - recorded.keys()):
            yield f"{where}.{key}: was not recorded"
        for key in sorted(recorded.keys() & replied.keys()):
            yield from _differences(recorded[key], replied[key], f"{where}.{key}")
    elif isinstance(recorded, list) and recorded:
        for number, entry in enumerate(replied):
            # The nearest one is what a person wants to compare with.
            yield from min(
                (list(_differences(pattern, entry, f"{where}[{number}]")) for pattern in recorded),
                key=len,
            )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, dict):
        return "an object"
    return (
        "a list"
        if isinstance(value, list)
        else "a text"
        if isinstance(value, str)
        else type(value).__name__
    )
