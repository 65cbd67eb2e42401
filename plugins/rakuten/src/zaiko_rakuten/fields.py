"""Fields as RMS writes them: flags are 0 and 1 in orders, true and false in items."""

from __future__ import annotations

from datetime import datetime

from zaiko_sdk import LooseFields

from zaiko_rakuten.times import moment


class RmsFields(LooseFields):
    """The fields of one JSON object of a reply."""

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a time; None for null, a missing field and what is not a time."""
        return moment(self.raw(name))
