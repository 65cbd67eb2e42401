"""The token of a request: entered by the merchant, or obtained by signing in.

Signing in is limited to five times an hour. So the process keeps the token (the host opens another
connector for each check), one task fetches it while the others wait, and it is renewed only when
the platform refused this very token. The connector never signs out: that would revoke a token that
others use.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from zaiko_sdk import ContractBroken, CredentialsRejected, Throttled
from zaiko_sdk.context import Clock

from zaiko_ecforce.replies import body_of, refusal, reported_errors
from zaiko_ecforce.settings import EcforceSettings

SIGN_IN_PATH = "/api/v2/admins/sign_in.json"
SIGN_INS_PER_HOUR = 5
_HOUR = timedelta(hours=1)

Post = Callable[[str, Any], Awaitable[httpx.Response]]
"""Sends a JSON body to a path without credentials."""


@dataclass(slots=True)
class SharedLogin:
    """What is known of one login: its last token, and when it signed in."""

    token: str | None = field(default=None, repr=False)
    sign_ins: list[datetime] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def turn(self) -> asyncio.Lock:
        """Held while signing in. A lock belongs to an event loop, a shared login to the process."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._turn = loop, asyncio.Lock()
        return self._turn


shared_logins: dict[str, SharedLogin] = {}
"""By a digest of address and login: a new password gets a login of its own."""


class Credentials:
    """Provides the token of a request, and another one after a refusal where that is possible."""

    def __init__(self, settings: EcforceSettings, clock: Clock, post: Post) -> None:
        self._settings, self._clock, self._post = settings, clock, post
        self._static = settings.token.get_secret_value() if settings.token else None
        self._session = (
            SharedLogin()
            if self._static
            else shared_logins.setdefault(_digest(settings), SharedLogin())
        )

    async def token(self) -> str:
        """Return the token to send. Raises the errors of signing in."""
        if self._static is not None:
            return self._static
        async with self._session.turn:
            if self._session.token is None:
                self._session.token = await self._sign_in()
            return self._session.token

    async def renew(self, refused: str) -> str | None:
        """Return a token other than the one just refused, or None when there is no way to get
        one."""
        if self._static is not None:
            return None
        async with self._session.turn:
            if self._session.token is None or self._session.token == refused:
                self._session.token = None
                self._session.token = await self._sign_in()
            return self._session.token

    async def _sign_in(self) -> str:
        now = self._clock.now()
        recent = [at for at in self._session.sign_ins if timedelta(0) <= now - at < _HOUR]
        if len(recent) >= SIGN_INS_PER_HOUR:
            raise Throttled(
                "ecforce allows five sign-ins an hour and they are used up. If another system "
                "signs in with the same member, give zaiko a member of its own or a static token.",
                retry_after=(_HOUR - (now - recent[0])).total_seconds(),
            )
        self._session.sign_ins = [*recent, now]
        assert self._settings.email is not None
        assert self._settings.password is not None
        login = {
            "email": self._settings.email,
            "password": self._settings.password.get_secret_value(),
        }
        response = await self._post(SIGN_IN_PATH, {"admin": login})
        body = body_of(response)
        if response.status_code in (400, 401, 403, 422) and reported_errors(body):
            words = " / ".join(
                f"{error.code} {error.message}".strip() for error in reported_errors(body)
            )
            words = self._settings.redact(words)
            raise CredentialsRejected(
                "ecforce refused the e-mail and password of this shop", platform_message=words
            )
        error = refusal(response, path=SIGN_IN_PATH, writing=False, clock=self._clock)
        if error is not None:
            raise error
        token = body.get("authentication_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise ContractBroken("ecforce accepted the sign-in but sent no authentication_token")
        return token


def _digest(settings: EcforceSettings) -> str:
    password = settings.password.get_secret_value() if settings.password else ""
    return hashlib.sha256(
        "\0".join((settings.origin, settings.email or "", password)).encode()
    ).hexdigest()
