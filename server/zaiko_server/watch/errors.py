"""How a watch ends, or does not begin, for reasons of its own."""

from __future__ import annotations

from zaiko_core.domain.errors import ServiceError, Unavailable


class TooManyStreams(ServiceError):
    reason = "TOO_MANY_STREAMS"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} watches are open already; share one, or end others", limit=str(limit)
        )


class SlowConsumer(ServiceError):
    reason = "SLOW_CONSUMER"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"nothing was read for {seconds:g} s; resume with the last token and read faster",
            seconds=f"{seconds:g}",
        )


class ServerDraining(Unavailable):
    """`retry_after` (seconds) differs from watch to watch, so that they do not all come back at
    once."""

    reason = "SERVER_DRAINING"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "the server is stopping; resume with the last token: another replica or the "
            "next process will answer"
        )
        self.retry_after = retry_after
