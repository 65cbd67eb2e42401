"""The access token of a request: entered by the merchant, or obtained by the client-credentials
grant and renewed in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from zaiko_sdk import Clock, CredentialsRejected, PlatformDown, ReplyFields, Retry

from zaiko_shopify.replies import body_of, refusal_by_status, words_of
from zaiko_shopify.settings import ShopifySettings

TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105 - a path, not a password
_SHARE_OF_LIFE = 0.8
"""A token is renewed after this share of its life, so a run never starts with one that is about to
end."""

Post = Callable[[str, Mapping[str, str]], Awaitable[httpx.Response]]
"""Sends a form to a path, without a token."""


@dataclass(frozen=True, slots=True, repr=False)
class _Granted:
    token: str
    renew_at: float
    ends_at: float


class Credentials:
    """Provides the token of a request, and another one after a refusal where that is possible. One
    renewal runs at a time; other tasks wait for it."""

    def __init__(self, settings: ShopifySettings, clock: Clock, post: Post) -> None:
        self._settings, self._clock, self._post = settings, clock, post
        self._granted: _Granted | None = None
        # The reply to the next token's request may still quote a token that was refused.
        self._given: deque[str] = deque(maxlen=4)
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """Return the token to send. Raises the errors of getting one."""
        if self._settings.access_token is not None:
            return self._settings.access_token.get_secret_value()
        async with self._turn:
            now = self._clock.monotonic()
            if self._granted is None or now >= self._granted.renew_at:
                try:
                    self._granted = await self._grant()
                except Retry:
                    # The old token still works for a while.
                    if self._granted is None or now >= self._granted.ends_at:
                        raise
            return self._granted.token

    def redact(self, text: str) -> str:
        """Return `text` without the credentials and the tokens that they got."""
        return self._settings.redact(text, *self._given)

    async def another(self, refused: str) -> str | None:
        """Return a token other than the one just refused, or None when there is no way to get
        one."""
        if self._settings.access_token is not None:
            return None
        async with self._turn:
            if self._granted is None or self._granted.token == refused:
                self._granted = None
                self._granted = await self._grant()
            return self._granted.token

    async def _grant(self) -> _Granted:
        settings = self._settings
        assert settings.client_id is not None
        assert settings.client_secret is not None
        asked = self._clock.monotonic()
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        response = await self._post(TOKEN_PATH, form)
        _refuse(response)
        body = body_of(response)
        if body is None:
            raise PlatformDown(
                "Shopify answered the request for a token with something that is not JSON"
            )
        granted = ReplyFields("Shopify's token", body)
        life = granted.number("expires_in")
        self._given.append(granted.text("access_token"))
        return _Granted(granted.text("access_token"), asked + life * _SHARE_OF_LIFE, asked + life)


def _refuse(response: httpx.Response) -> None:
    text = response.text if response.status_code in (400, 401, 403) else ""
    if "shop_not_permitted" in text:
        raise CredentialsRejected(
            "Shopify gives this app no token for this shop: app and shop must belong to the same "
            "organisation. Make the app in the organisation that owns the shop.",
            platform_message="shop_not_permitted",
        )
    if "app_not_installed" in text:
        raise CredentialsRejected(
            "The app is not installed in this shop; install it from the Dev Dashboard.",
            platform_message="app_not_installed",
        )
    if response.status_code in (400, 401, 403):
        raise CredentialsRejected(
            "Shopify refused client ID and client secret. Copy both again from the app's "
            "settings in the Dev Dashboard.",
            platform_message=words_of(body_of(response)),
        )
    error = refusal_by_status(response, what="the request for a token", writing=False)
    if error is not None:
        raise error
