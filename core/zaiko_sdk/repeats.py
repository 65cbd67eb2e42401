"""Repeating a request within one call of the host: a few times, after short waits.

The host repeats whole calls, shows the reason meanwhile and lets other shops go on, so that a
connector repeats only what is likely to pass within seconds, and only requests that are safe to
send twice.

tenacity was considered. Its deadlines read the machine's clock, not `ShopContext.clock`, so that a
test could not let an hour pass, and the decisions that differ between platforms (was it applied,
did the platform announce a wait, does throttling count) would each be a callback.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from zaiko_sdk.context import Clock


class Repeats:
    """How often one request is repeated, after which waits, and for how long.

    `delays` are the seconds before the repeats, one for each. A wait longer than `longest_wait`,
    and one that would end more than `within` seconds after the first attempt, is left to the host.
    Make one at the first attempt:

        repeats = Repeats(context.clock, (1.0, 3.0), longest_wait=10)
        while True:
            reply = await send()
            if reply.is_success:
                return reply
            wait = repeats.after_failure(announced_wait(reply))
            if wait is None:
                return reply
            await context.clock.sleep(wait)
    """

    def __init__(
        self,
        clock: Clock,
        delays: Sequence[float],
        *,
        longest_wait: float = math.inf,
        within: float = math.inf,
    ) -> None:
        self._clock, self._delays = clock, iter(delays)
        self._longest_wait, self._within = longest_wait, within
        self._began = clock.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the first attempt."""
        return self._clock.monotonic() - self._began

    def after_failure(self, announced: float | None = None) -> float | None:
        """Take the next delay and return the seconds to wait, or return None to give up.

        A wait that the platform `announced` replaces the delay.
        """
        delay = next(self._delays, None)
        if delay is None:
            return None
        return self._allowed(delay if announced is None else announced)

    def after_throttling(self, wait: float) -> float | None:
        """Return the seconds to wait for the quota, or None to give up. Takes none of the delays: a
        quota that is used up is no failure."""
        return self._allowed(wait)

    def _allowed(self, wait: float) -> float | None:
        in_time = wait <= self._longest_wait and self.age + wait <= self._within
        return wait if in_time else None
