"""How far this host has seen the database come, kept outside of it, so that a restored database is
noticed (ADR 0023)."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HighWaterMark:
    """How far a database had come: its epoch, and the sum of its merchants' newest revisions, which
    never falls."""

    epoch: str
    revisions: int


class HighWaterMarkFile:
    """The file that holds a mark, written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> HighWaterMark | None:
        """Return the last mark, or None when no mark can be read."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return HighWaterMark(**json.loads(self._path.read_text()))
        return None

    def write(self, mark: HighWaterMark) -> None:
        """Replace the mark, and make its folder if only that is missing. Raises OSError."""
        self._path.parent.mkdir(exist_ok=True)
        half = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with half.open("w") as file:
            json.dump(asdict(mark), file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._path)


def has_gone_back(before: HighWaterMark | None, now: HighWaterMark) -> bool:
    """Return whether the database is now an older state of itself."""
    return before is not None and before.epoch == now.epoch and now.revisions < before.revisions
