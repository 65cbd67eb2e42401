"""How a commit wakes other replicas: PostgreSQL's NOTIFY, which is delivered with the commit."""

from __future__ import annotations

from sqlalchemy import func, select

CHANNEL = "zaiko_wake"
NOTIFIED = func.pg_notify(CHANNEL, "")
"""To return from a statement that is sent anyway."""
NOTIFY = select(NOTIFIED)
