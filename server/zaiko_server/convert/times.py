"""Times and spans: µs here, Timestamp and Duration on the wire."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

MICROS = 1_000_000


def timestamp(micros: int | None) -> Timestamp | None:
    """µs since 1970 as a Timestamp; None (unset) stays None, which leaves a message's field
    unset."""
    return (
        None
        if micros is None
        else Timestamp(seconds=micros // MICROS, nanos=micros % MICROS * 1000)
    )


def set_time(micros: int) -> Timestamp | None:
    """Like `timestamp`, for columns in which 0 means never."""
    return timestamp(micros or None)


def micros_of(time: Timestamp) -> int:
    """A Timestamp as µs since 1970, rounded down."""
    return time.seconds * MICROS + time.nanos // 1000


def duration(micros: int) -> Duration:
    """µs as a Duration."""
    return Duration(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def span_of(duration: Duration) -> int:
    """A Duration as µs, rounded down."""
    return duration.seconds * MICROS + duration.nanos // 1000
