"""Global ids and times as the platform writes them."""

from __future__ import annotations

import re
from datetime import datetime


def gid(kind: str, number: object) -> str:
    """Return a global id."""
    return f"gid://shopify/{kind}/{number}"


def text_of(moment: datetime | None) -> str | None:
    """Return a DateTime."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def number_of(identity: str, kind: str) -> int | None:
    """Return the number in a global id of this kind, or None."""
    match = re.fullmatch(rf"gid://shopify/{kind}/(\d+)", identity)
    return int(match[1]) if match else None
