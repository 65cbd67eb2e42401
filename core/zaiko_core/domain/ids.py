"""Ids that are derived instead of drawn, so that the same thing gets the same id without a
look-up."""

from __future__ import annotations

import base64
import hashlib


def listing_id(external_id: str) -> str:
    """Our id of a listing: opaque, stable, from the platform's own id (which may contain anything).
    100 bits of SHA-256."""
    digest = hashlib.sha256(external_id.encode()).digest()
    return "l" + base64.b32encode(digest).decode().lower()[:20]
