"""Trailing metadata that several parts of a call add to."""

from __future__ import annotations

from typing import Any


def add(context: Any, *entries: tuple[str, str | bytes]) -> None:
    """Add to what the call's trailing metadata has so far."""
    context.set_trailing_metadata((*(context.trailing_metadata() or ()), *entries))
