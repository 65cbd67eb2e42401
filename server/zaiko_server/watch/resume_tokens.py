"""Resume tokens: a position in the history of one database, for one merchant and one filter.

A token is opaque to clients, versioned and signed: a client can neither forge one nor use it with
another filter. It grants nothing, because every call checks permission again. 48 bytes, in URL-safe
base64 without padding:

    version (1) | kind (1) | revision (8) | digest of the database's epoch (8) | digest of merchant
    and filter (14) | MAC (16)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass

from zaiko_core.domain.errors import HistoryReplaced, ResumeTokenInvalid

_LAYOUT = struct.Struct(">BBq8s14s")
_MAC = 16
_VERSION = 1
_AT, _SNAPSHOT = 0, 1
_INVALID = (
    "the resume token is broken, or belongs to another filter or merchant; start again with a "
    "snapshot"
)


@dataclass(frozen=True, slots=True)
class ResumeTokens:
    """Makes and reads the resume tokens of one topic. `key` and `epoch` are the database's; `scope`
    is the topic's, and differs whenever the merchant or the filter differs."""

    key: bytes
    epoch: str
    scope: bytes

    def at(self, revision: int) -> str:
        """Return a token that resumes after `revision`."""
        return self._seal(_AT, revision)

    def snapshot(self) -> str:
        """Return a token that resumes with a new snapshot. A client that has read only part of a
        snapshot holds this one."""
        return self._seal(_SNAPSHOT, 0)

    def read(self, token: str) -> int | None:
        """Return the revision to resume after, or None for a new snapshot. Raises
        ResumeTokenInvalid, and HistoryReplaced for a token from before a restored backup."""
        try:
            sealed = base64.b64decode(
                token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (UnicodeEncodeError, binascii.Error):
            raise ResumeTokenInvalid(_INVALID) from None
        payload, mac = sealed[:-_MAC], sealed[-_MAC:]
        if len(payload) != _LAYOUT.size or not hmac.compare_digest(mac, self._mac(payload)):
            raise ResumeTokenInvalid(_INVALID)
        version, kind, revision, epoch, scope = _LAYOUT.unpack(payload)
        if version != _VERSION or kind not in (_AT, _SNAPSHOT) or scope != self._scope():
            raise ResumeTokenInvalid(_INVALID)
        if epoch != self._epoch():
            raise HistoryReplaced(
                "the database was restored from a backup after this token was issued; discard what "
                "was read and start again with a snapshot"
            )
        return None if kind == _SNAPSHOT else int(revision)

    def _seal(self, kind: int, revision: int) -> str:
        payload = _LAYOUT.pack(_VERSION, kind, revision, self._epoch(), self._scope())
        return base64.urlsafe_b64encode(payload + self._mac(payload)).rstrip(b"=").decode()

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self.key, b"zaiko watch" + payload, "sha256")[:_MAC]

    def _epoch(self) -> bytes:
        return hashlib.sha256(self.epoch.encode()).digest()[:8]

    def _scope(self) -> bytes:
        return hashlib.sha256(self.scope).digest()[:14]
