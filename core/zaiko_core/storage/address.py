"""A database's address as operators write it."""

from __future__ import annotations

import re

import sqlalchemy

_SEVERAL = re.compile(
    r"(?P<before>postgresql(?:\+psycopg)?://(?:[^@/?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<rest>[/?].*)?"
)


def address(url: str) -> sqlalchemy.URL:
    """Parse the URL of a SQLite file or of a PostgreSQL, which may name several hosts, as in libpq:
    `postgresql://user@one:5432,two:5432/name`. Raises ValueError without the URL in its text,
    because it may contain a password."""
    try:
        parsed = sqlalchemy.make_url(_spread(url))
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ValueError(f"not a database's address; {_FORM}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError("a SQLite store needs a file: several connections share it")
        return parsed
    if backend != "postgresql":
        raise ValueError(f"{backend} is no store of zaiko's; {_FORM}")
    return (
        parsed.set(drivername="postgresql+psycopg")
        if parsed.get_driver_name() in ("", "psycopg2")
        else parsed
    )


_FORM = "it is a path, sqlite:///path, or postgresql://user:password@host/name"


def _spread(url: str) -> str:
    """Return several hosts as SQLAlchemy takes them: each a parameter of the URL."""
    several = _SEVERAL.fullmatch(url)
    if several is None:
        return url
    place, _, options = (several["rest"] or "/").partition("?")
    hosts = "&".join(f"host={host}" for host in several["hosts"].split(","))
    return f"{several['before']}{place}?{hosts}{'&' if options else ''}{options}"
