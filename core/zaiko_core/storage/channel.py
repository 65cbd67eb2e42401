"""How a commit wakes other replicas: PostgreSQL's NOTIFY, which is delivered with the commit and
carries when something is due."""

from __future__ import annotations

from sqlalchemy import Text, bindparam, func, select

CHANNEL = "zaiko_wake"
CHANGED = "changed"
"""The payload of a commit that only watchers care about."""

NOTIFIED = func.pg_notify(CHANNEL, bindparam("notify_payload", type_=Text))
"""To return from a statement that is sent anyway, with `notify_payload`."""
NOTIFY = select(NOTIFIED)


def notify_payload(dialect: str, due_in: int | None) -> dict[str, str]:
    """Return the parameter of NOTIFIED, and nothing where there is no replica to notify. `due_in`:
    the delay in µs until the scheduler has work, None if it has none."""
    if dialect != "postgresql":
        return {}
    return {"notify_payload": CHANGED if due_in is None else f"due {due_in}"}


def due_in(payload: str) -> int | None:
    """Return `due_in` of a payload. An unknown payload comes from another release, and is due
    now."""
    if payload == CHANGED:
        return None
    word, _, moment = payload.partition(" ")
    return int(moment) if word == "due" and moment.isdecimal() else 0
