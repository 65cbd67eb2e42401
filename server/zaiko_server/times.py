"""Convert times and spans: µs in the engine, Timestamp and Duration on the wire."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

MICROS = 1_000_000


def timestamp(micros: int | None) -> Timestamp | None:
    """Return µs since 1970 as a Timestamp. None stays None, which leaves a message's field
    unset."""
    return (
        None
        if micros is None
        else Timestamp(seconds=micros // MICROS, nanos=micros % MICROS * 1000)
    )


def nonzero_timestamp(micros: int) -> Timestamp | None:
    """Like `timestamp`, for columns in which 0 means unset."""
    return timestamp(micros or None)


def micros_of(time: Timestamp) -> int:
    """Return a Timestamp as µs since 1970, rounded down."""
    return time.seconds * MICROS + time.nanos // 1000


def duration(micros: int) -> Duration:
    """Return µs as a Duration."""
    return Duration(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def span_of(duration: Duration) -> int:
    """Return a Duration as µs, rounded down."""
    return duration.seconds * MICROS + duration.nanos // 1000
