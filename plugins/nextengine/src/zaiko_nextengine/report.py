"""What a failed upload says about its lines (FACTS.md §6): good lines of a failed file are applied
nevertheless.

UNCONFIRMED: the form of `que_message`. Assumed: text in which each complaint has a line of its own
and names the goods code. A row number is not believed, since it is unknown whether the header
counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_APART = re.compile(r"[\r\n]+|<br\s*/?>", re.IGNORECASE)
_WORD = re.compile(r"[0-9A-Za-z_-]+")


def complaints(message: str, codes: Collection[str]) -> dict[str, str]:
    """Return the complaint about each of `codes` that the message names as a whole word. A line
    that names several codes is about each of them."""
    found: dict[str, str] = {}
    for line in _APART.split(message):
        words = set(_WORD.findall(line))
        for code in codes:
            if code in words:
                found.setdefault(code, line.strip())
    return found
