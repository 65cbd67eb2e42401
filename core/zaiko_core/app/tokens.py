"""Creating, checking and revoking tokens (ADR 0015)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zaiko_core.app.records import Page, TokenRecord
from zaiko_core.domain.access import Permission, Principal, Role
from zaiko_core.domain.errors import (
    InvalidField,
    NotFound,
    PermissionDenied,
    TokenExpired,
    TokenInvalid,
)

if TYPE_CHECKING:
    from zaiko_core.storage.tokens import TokenRows

_FORM = re.compile(r"zk_([a-z][a-z0-9-]{0,61}[a-z0-9])_([A-Za-z0-9_-]{43})")
_FETCH = 500


def text_of(token: str, secret: str) -> str:
    """Return the text that a client sends. `secret` is 32 random bytes in base64url without
    padding."""
    return f"zk_{token}_{secret}"


def parsed(text: str) -> tuple[str, str]:
    """Return id and secret of such a text. Raises TokenInvalid."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise TokenInvalid
    return found[1], found[2]


def create(tokens: TokenRows, draft: TokenRecord, secret: str, *, by: Principal) -> TokenRecord:
    """Store a new token: the hash of its secret, or none when it stands for a certificate. Raises
    PermissionDenied when `by` would grant more than it has, and InvalidField for an end that has
    passed or a certificate that another token has."""
    if not by.covers(Role(draft.role), _merchants(draft)):
        raise _too_much(
            "a token can give no more than it has: choose its own role and merchants, or "
            "less of them"
        )
    if draft.certificate and by.merchants is not None:
        # Whose a certificate is, is the installation's to say.
        raise _too_much(
            "only a token with all merchants can give rights to a certificate; create a "
            "token with a secret"
        )
    if draft.expires_at is not None and draft.expires_at <= tokens.now:
        raise InvalidField(
            [("token.expire_time", "timestamp.future", "has passed; choose a later time, or none")]
        )
    if draft.certificate and any(
        record.revoked_at is None for record in tokens.of_certificates([draft.certificate])
    ):
        raise InvalidField(
            [("token.certificate", "unique", "belongs to another token; revoke that one first")]
        )
    record = replace(
        draft,
        hash=None if draft.certificate else _hash(secret),
        created_by=by.id,
        created_at=tokens.now,
    )
    tokens.insert(record)
    return record


def principal_of(record: TokenRecord | None, secret: str, now: int) -> Principal:
    """Return who has this secret, in the same time for a wrong secret as for the right one. Raises
    TokenInvalid, TokenExpired."""
    kept = record.hash if record is not None and record.hash is not None else bytes(32)
    right = hmac.compare_digest(kept, _hash(secret))
    if record is None or record.hash is None or not right:
        raise TokenInvalid
    return _live(record, now)


def principal_of_certificate(records: Sequence[TokenRecord], now: int) -> Principal | None:
    """Return who has a certificate with one of these records' identities, or None when no token
    stands for it. Raises TokenExpired."""
    live = [record for record in records if record.revoked_at is None and record.hash is None]
    return _live(live[0], now) if live else None


def get(tokens: TokenRows, token: str, *, by: Principal) -> TokenRecord:
    """Return one token that `by` may see. Raises NotFound, also for one that it may not."""
    record = tokens.get(token)
    if record is None or not _visible(record, by):
        raise NotFound(f"tokens/{token}")
    return record


def page(tokens: TokenRows, wanted: Page, *, by: Principal) -> list[TokenRecord]:
    """Return the tokens whose merchants are all `by`'s own, by id."""
    found: list[TokenRecord] = []
    after = wanted.after
    while True:
        rows = tokens.page(Page(_FETCH, after))
        found += [row for row in rows if _visible(row, by)]
        if len(found) >= wanted.size or len(rows) < _FETCH:
            return found[: wanted.size]
        after = (rows[-1].token,)


def revoke(tokens: TokenRows, token: str, *, by: Principal) -> TokenRecord:
    """End a token permanently. A second call changes nothing. Raises NotFound, and PermissionDenied
    for one that can do more than `by`."""
    record = get(tokens, token, by=by)
    if not by.covers(Role(record.role), _merchants(record)):
        raise _too_much(f"tokens/{token} can do more than the one that calls; ask its owner")
    if record.revoked_at is None:
        record = replace(record, revoked_at=tokens.now)
        tokens.end(token)
    return record


def _live(record: TokenRecord, now: int) -> Principal:
    if record.revoked_at is not None:
        raise TokenInvalid
    if record.expires_at is not None and record.expires_at <= now:
        raise TokenExpired
    return Principal(record.token, Role(record.role), _merchants(record), record.expires_at)


def _visible(record: TokenRecord, by: Principal) -> bool:
    return by.covers(Role.READER, _merchants(record))


def _merchants(record: TokenRecord) -> frozenset[str] | None:
    return None if record.merchants is None else frozenset(record.merchants)


def _too_much(message: str) -> PermissionDenied:
    return PermissionDenied(Permission.TOKENS_WRITE, message)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
