"""PostgreSQL's clock as an expression, in µs since 1970: where there may be several replicas, the
database's clock arbitrates."""

from __future__ import annotations

from sqlalchemy import BigInteger, literal_column


def _micros(function: str) -> str:
    return f"(extract(epoch FROM {function}()) * 1000000)::bigint"


CLOCK = literal_column(_micros("clock_timestamp"), BigInteger)
"""Now, also after a lock was waited for."""

STATEMENT_CLOCK = literal_column(_micros("statement_timestamp"), BigInteger)
"""When the statement arrived: one value for all of its rows, so that an index can be searched for
it."""
