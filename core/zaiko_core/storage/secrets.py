"""Shops' credentials at rest: encrypted, with keys that can be rotated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from zaiko_core.domain.errors import SecretKeyMissing


class SecretBox:
    """Seals with the first key, opens with any (Fernet: AES-128-CBC with HMAC-SHA-256). To rotate,
    put a new key first, seal everything again, then remove the old one."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @staticmethod
    def new_key() -> str:
        """Draw a key, as text for a file or an environment variable."""
        return Fernet.generate_key().decode()

    def reseal(self, sealed: bytes) -> bytes | None:
        """Seal with the first key; None if it is sealed with it already. Raises SecretKeyMissing
        when no key fits."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            try:
                return self._fernet.rotate(sealed)
            except InvalidToken:
                raise SecretKeyMissing from None
        return None

    def seal(self, secrets: Mapping[str, str]) -> bytes:
        """Encrypt."""
        return self._fernet.encrypt(json.dumps(dict(secrets)).encode())

    def open(self, sealed: bytes | None) -> dict[str, str]:
        """Decrypt. None has no secrets. Raises SecretKeyMissing when no key fits."""
        if sealed is None:
            return {}
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SecretKeyMissing from None
        return opened
