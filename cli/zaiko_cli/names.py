"""What the command line knows about the form of resource names. Servers give names; only what a
person types as an id becomes a name here."""

from __future__ import annotations

import re
from typing import Final

CHOSEN_ID: Final = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
"""Ids that clients choose."""
_LISTING = re.compile(
    rf"merchants/{CHOSEN_ID}/shops/{CHOSEN_ID}/listings/[a-z0-9][a-z0-9-]{{0,79}}"
)
_PLAIN = re.compile(r"[A-Za-z0-9.-]")


def is_listing(name: str) -> bool:
    """Return whether `name` has the form of a listing's name."""
    return _LISTING.fullmatch(name) is not None


def order_id(external_id: str) -> str:
    """Return the last part of an order's name for the id that the platform gave it. The id may
    contain any character; the proto file of orders specifies the escapes."""
    return "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"_{byte:02x}" for byte in char.encode())
        for char in external_id
    )
