"""A log that a test reads."""

from __future__ import annotations

from typing import Any


class KeptLog:
    """Keeps every log line as (event, fields). It fits `zaiko_sdk.Log`."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def _keep(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    debug = info = warning = error = _keep

    @property
    def events(self) -> list[str]:
        """The events in the order in which they were logged."""
        return [event for event, _ in self.lines]
