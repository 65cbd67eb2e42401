"""Trouble of a link, shop or run (docs/domain.md §5): a stable reason, and who must act. What to do
is for the server to say, which reads it from the protos (ADR 0033)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from zaiko_core.domain import owners


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong.

    `retry_at` is when zaiko tries again automatically, in µs since 1970; None while it waits for a
    person. `metadata` has, by name, what varies in a message of ours. It is empty when a connector
    wrote the message. `platform_message` has the platform's own words."""

    reason: str
    message: str
    platform_message: str = ""
    retry_at: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def owner(self) -> str:
        """Who must act: MERCHANT, PLATFORM or SYSTEM. A reason that the catalogue does not have is
        of a third party's connector: its author must act."""
        return owners.OF_REASONS.get(self.reason, "SYSTEM")

    def document(self) -> dict[str, Any]:
        """Return the problem as it is stored."""
        return asdict(self)


def problem_from(document: Mapping[str, Any] | None) -> Problem | None:
    """Return the problem that `document` stored. Fields that a newer release wrote are left out:
    two releases may share a database."""
    return (
        None
        if document is None
        else Problem(**{name: value for name, value in document.items() if name in _FIELDS})
    )


_FIELDS = frozenset(item.name for item in fields(Problem))
