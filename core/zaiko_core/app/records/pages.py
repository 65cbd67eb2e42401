"""Which part of a list is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `size` rows after the key `after`, the sort key of the last row
    seen."""

    size: int
    after: tuple[Any, ...] | None = None
