"""Removing credentials from texts that others wrote."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
SHORTEST = 6
"""Shorter texts are no secrets, and hiding them would damage ordinary words."""
_CUT = 8
"""The beginning of a secret at the end of a text reveals something from this length on. A shorter
one is a known prefix."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without `secrets`.

    Finds them in a URL, a form, JSON, hex or base64, alone or in something longer as in
    `Authorization: Basic`, and where the text was cut off after 8 characters or more of one.
    Secrets of fewer than 6 characters stay.
    """
    # The longest first: one secret may be the beginning of another.
    forms = sorted(
        {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)},
        key=len,
        reverse=True,
    )
    for form in forms:
        text = text.replace(form, HIDDEN)
    for form in forms:
        for kept in range(min(len(form) - 1, len(text)), _CUT - 1, -1):
            if text.endswith(form[:kept]):
                return text[:-kept] + HIDDEN
    return text


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield from (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        raw.hex(),
        raw.hex().upper(),
    )
    for shift in range(3):
        # Its first and last characters depend on the neighbours.
        first, end = (shift * 8 + 5) // 6, (shift + len(raw)) * 8 // 6
        coded = base64.b64encode(bytes(shift) + raw).decode()[first:end]
        yield from (coded, coded.replace("+", "-").replace("/", "_"))
