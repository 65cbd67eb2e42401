"""How a commit wakes other replicas: PostgreSQL's NOTIFY, which is delivered with the commit, and
says whether something is due."""

from __future__ import annotations

from sqlalchemy import Text, bindparam, func, select

CHANNEL = "zaiko_wake"
CHANGED = "changed"
"""What is told of a commit that only watchers care about."""

NOTIFIED = func.pg_notify(CHANNEL, bindparam("told", type_=Text))
"""To return from a statement that is sent anyway, with `told`."""
NOTIFY = select(NOTIFIED)


def told(dialect: str, due_in: int | None) -> dict[str, str]:
    """The parameter of NOTIFIED, where there is somebody to be told. `due_in`: in how many µs the
    scheduler has something to do; None: it has not."""
    if dialect != "postgresql":
        return {}
    return {"told": CHANGED if due_in is None else f"due {due_in}"}


def heard(payload: str) -> int | None:
    """`due_in` of what was told. What is not understood comes from another release, and is looked
    at now."""
    if payload == CHANGED:
        return None
    word, _, moment = payload.partition(" ")
    return int(moment) if word == "due" and moment.isdecimal() else 0
