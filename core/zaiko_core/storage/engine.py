"""Moved to `database.py` and `transactions.py`; this name stays until every room has followed."""

from zaiko_core.storage.database import Database
from zaiko_core.storage.transactions import Now, system_now

__all__ = ["Database", "Now", "system_now"]
