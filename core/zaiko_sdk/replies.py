"""What HTTP replies have in common on most platforms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from zaiko_sdk.errors import PlatformDown, SettingsInvalid, Timeout

_LONGEST_WAIT = 86_400.0


def read_json(content: bytes) -> Any:
    """Return the JSON of a body. Raises ValueError when it is none, also when it is nested too
    deeply to be read."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def announced_wait(reply: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After`, at most a day; None when it is missing or no number."""
    text = reply.headers.get("retry-after", "").strip()
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else None


@contextmanager
def transport_errors(origin: str, what: str) -> Iterator[None]:
    """Turn the HTTP client's errors into those of zaiko_sdk, around one request for `what`.

    A connection that was refused changed nothing (PlatformDown, or Timeout with sent=False). After
    any other error the request may have been applied: Timeout with sent=None. The errors hide where
    they come from, because httpx's hold the request, and with it the credentials.
    """
    try:
        yield
    except httpx.ConnectTimeout:
        raise Timeout(f"{origin} did not accept the connection in time", sent=False) from None
    except (httpx.ConnectError, httpx.PoolTimeout) as error:
        raise PlatformDown(f"{origin} could not be reached ({type(error).__name__})") from None
    except httpx.UnsupportedProtocol:
        raise SettingsInvalid(f"{origin} is not an address that can be called") from None
    except httpx.TimeoutException as error:
        name = type(error).__name__
        raise Timeout(f"{what} was not answered in time ({name})", sent=None) from None
    except httpx.HTTPError as error:
        name = type(error).__name__
        raise Timeout(f"the connection broke during {what} ({name})", sent=None) from None
