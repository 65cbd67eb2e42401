"""Add to a call's trailing metadata."""

from __future__ import annotations

from typing import Any


def add(context: Any, *entries: tuple[str, str | bytes]) -> None:
    """Add entries, and keep those that are already set."""
    context.set_trailing_metadata((*(context.trailing_metadata() or ()), *entries))
