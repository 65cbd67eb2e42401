"""The token of a request: entered by the merchant, or got by signing in.

Signing in is limited to five times an hour, so its token is kept, fetched by one task while the others wait, and renewed
only when the platform refused that very token. Signing out is never called: it would revoke a token that others use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from zaiko_sdk import ContractBroken, CredentialsRejected, Throttled
from zaiko_sdk.context import Clock

from zaiko_ecforce.replies import body_of, refusal, reported_errors
from zaiko_ecforce.settings import EcforceSettings

SIGN_IN_PATH = "/api/v2/admins/sign_in.json"
SIGN_INS_PER_HOUR = 5
_HOUR = 3600.0

Post = Callable[[str, Any], Awaitable[httpx.Response]]
"""Sends a JSON body to a path without credentials."""


class Credentials:
    """Gives the token for a request, and another one after a refusal where that is possible."""

    def __init__(self, settings: EcforceSettings, clock: Clock, post: Post) -> None:
        self._settings, self._clock, self._post = settings, clock, post
        self._token: str | None = settings.token.get_secret_value() if settings.token else None
        self._sign_ins: deque[float] = deque(maxlen=SIGN_INS_PER_HOUR)
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """The token to send. Raises what signing in raises."""
        async with self._turn:
            if self._token is None:
                self._token = await self._sign_in()
            return self._token

    async def renew(self, refused: str) -> str | None:
        """A token other than the one just refused, or None when there is no way to get one."""
        if self._settings.token is not None:
            return None
        async with self._turn:
            if self._token is None or self._token == refused:
                self._token = None
                self._token = await self._sign_in()
            return self._token

    async def _sign_in(self) -> str:
        now = self._clock.monotonic()
        if len(self._sign_ins) == SIGN_INS_PER_HOUR and now - self._sign_ins[0] < _HOUR:
            raise Throttled(
                "ecforce allows five sign-ins an hour and they are used up. If another system signs in with the same member, "
                "give zaiko a member of its own or a static token.",
                retry_after=_HOUR - (now - self._sign_ins[0]),
            )
        self._sign_ins.append(now)
        assert self._settings.email is not None
        assert self._settings.password is not None
        login = {"email": self._settings.email, "password": self._settings.password.get_secret_value()}
        response = await self._post(SIGN_IN_PATH, {"admin": login})
        body = body_of(response)
        if response.status_code in (400, 401, 403, 422) and reported_errors(body):
            words = " / ".join(f"{error.code} {error.message}".strip() for error in reported_errors(body))
            raise CredentialsRejected("ecforce refused the e-mail and password of this shop", platform_message=words)
        error = refusal(response, path=SIGN_IN_PATH, writing=False, clock=self._clock)
        if error is not None:
            raise error
        token = body.get("authentication_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise ContractBroken("ecforce accepted the sign-in but sent no authentication_token")
        return token
