"""One signed HTTP POST, tried a bounded number of times."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

SIGNATURE = "X-Zaiko-Signature"
WAITS = (1.0, 4.0)
"""Seconds before the second and the third attempt."""


def signature(secret: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA256 of the raw body in hex. A receiver compares it in
    constant time."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhook:
    """Posts to one address. `sleep` waits between attempts."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 10.0,
    ) -> None:
        self._url, self._secret, self._sleep, self._timeout = url, secret, sleep, timeout

    def post(self, document: Mapping[str, Any]) -> bool:
        """Post a document and return whether the receiver accepted it (2xx).

        Tries again after a lost connection, 429 and 5xx, three times in all, so the receiver may
        get a document twice. Never raises because of the network.
        """
        body = json.dumps(document, ensure_ascii=False, sort_keys=True).encode()
        headers = {"content-type": "application/json", SIGNATURE: signature(self._secret, body)}
        for wait in (*WAITS, None):
            try:
                status = httpx.post(
                    self._url, content=body, headers=headers, timeout=self._timeout
                ).status_code
            except httpx.TransportError:
                status = 0
            if 200 <= status < 300:
                return True
            if wait is None or (status != 429 and 0 < status < 500):
                break
            self._sleep(wait)
        return False
