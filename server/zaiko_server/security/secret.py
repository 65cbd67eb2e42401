"""Where secrets of tokens come from."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_lowercase
_ALPHABET = _LETTERS + string.digits


def new_token_id() -> str:
    """A token's id: a letter and 11 letters or digits. No secret."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(11))


def new_secret() -> str:
    """256 random bits, as 43 characters."""
    return secrets.token_urlsafe(32)
