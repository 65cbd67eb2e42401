"""The limits of the simulated platform. Five sign-ins an hour is the platform's own; it publishes
no other figure, so one request a second with bursts of ten stands for what its users report."""

from __future__ import annotations

import time
from collections import deque

from starlette.responses import HTMLResponse, Response

SIGN_INS_PER_HOUR = 5
_BURST = 10
_HTML = (
    "<html><head><title>429 Too Many "
    "Requests</title></head><body><center><h1>429</h1></center></body></html>"
)


class Quotas:
    """Counts requests; `enforced` off lets everything through."""

    def __init__(self) -> None:
        self.enforced = True
        self.rate = 1.0
        self.retry_after = "alternate"
        """Whether a 429 announces its wait: always, never or alternate (UNCONFIRMED)."""
        self.throttled = 0
        self.exhausted = False
        """Whether other clients of the shop use up every place."""
        self._tokens, self._at = float(_BURST), time.monotonic()
        self._sign_ins: deque[float] = deque()

    def refuse(self) -> Response | None:
        """The 429 for a request too many, or None."""
        now = time.monotonic()
        self._tokens = min(float(_BURST), self._tokens + (now - self._at) * self.rate)
        self._at = now
        if not self.enforced:
            return None
        if self._tokens >= 1 and not self.exhausted:
            self._tokens -= 1
            return None
        return self._refusal()

    def refuse_sign_in(self) -> Response | None:
        """The 429 for the sixth sign-in within an hour, or None."""
        now = time.monotonic()
        while self._sign_ins and now - self._sign_ins[0] >= 3600:
            self._sign_ins.popleft()
        if self.enforced and len(self._sign_ins) >= SIGN_INS_PER_HOUR:
            return self._refusal(int(3600 - (now - self._sign_ins[0])))
        self._sign_ins.append(now)
        return None

    def _refusal(self, seconds: int = 1) -> Response:
        self.throttled += 1
        announces = self.retry_after == "always" or (
            self.retry_after == "alternate" and self.throttled % 2 == 0
        )
        return HTMLResponse(
            _HTML, 429, headers={"retry-after": str(seconds)} if announces else None
        )
