"""Who may call (ADR 0015)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token. `hash` is of its secret, or None when `certificate`, an identity of a client
    certificate, stands for it. `merchants` None: all."""

    token: str
    role: str
    merchants: tuple[str, ...] | None
    display_name: str = ""
    certificate: str = ""
    expires_at: int | None = None
    hash: bytes | None = field(default=None, repr=False)
    created_by: str = ""
    created_at: int = 0
    revoked_at: int | None = None
    last_used_at: int | None = None
