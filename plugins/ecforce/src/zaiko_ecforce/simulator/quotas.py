"""The limits of the simulated platform (FACTS.md §4). Five sign-ins an hour is the platform's own
figure. It publishes no other, so one request a second with bursts of ten stands for what its users
report."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_sdk.testing.simulator import CallWindow, TokenBucket

SIGN_INS_PER_HOUR = 5
_HOUR = 3600.0
_BURST = 10.0


@dataclass(frozen=True, slots=True)
class TooMany:
    """A request too many. `retry_after` is in seconds, or None when the reply does not announce a
    wait."""

    retry_after: int | None


class Quotas:
    """The quota of requests and the one of sign-ins."""

    def __init__(self) -> None:
        self.requests = TokenBucket(rate=1.0, burst=_BURST)
        self.sign_ins = CallWindow(most=SIGN_INS_PER_HOUR, seconds=_HOUR)
        self.retry_after = "alternate"
        """Whether a 429 announces its wait: always, never or alternate (UNCONFIRMED)."""

    @property
    def enforced(self) -> bool:
        """Whether requests are refused because of load."""
        return self.requests.enforced

    @property
    def throttled(self) -> int:
        """How many requests were refused because of load."""
        return self.requests.throttled + self.sign_ins.throttled

    def enforce(self, enforced: bool) -> None:
        """Switch both quotas on or off."""
        self.requests.enforce(enforced)
        self.sign_ins.enforce(enforced)

    def exhaust(self) -> None:
        """Use up the whole quota, as other clients of the shop would."""
        self.enforce(True)
        self.requests.exhaust()

    def refuse(self) -> TooMany | None:
        """Count a request, and return the refusal when it is one too many."""
        return None if self.requests.take() else self._too_many(1)

    def refuse_sign_in(self) -> TooMany | None:
        """Count a sign-in, and return the refusal of the sixth within an hour."""
        return None if self.sign_ins.take() else self._too_many(int(self.sign_ins.free_in()))

    def _too_many(self, seconds: int) -> TooMany:
        announces = self.retry_after == "always" or (
            self.retry_after == "alternate" and self.throttled % 2 == 0
        )
        return TooMany(seconds if announces else None)
