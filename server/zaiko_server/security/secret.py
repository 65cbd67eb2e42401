"""Generate tokens and their secrets."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_lowercase
_ALPHABET = _LETTERS + string.digits


def new_token_id() -> str:
    """Return a new token id: a letter and 11 letters or digits. It is not secret."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(11))


def new_secret() -> str:
    """Return 256 random bits as 43 characters."""
    return secrets.token_urlsafe(32)
