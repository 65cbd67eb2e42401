"""The tokens of one shop (FACTS.md §1). BASE rotates them: a refresh token works once, and the next
one comes with the access token. It is saved before it is used, so a crash at any moment loses at
most the reply of one refresh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError
from zaiko_sdk import ContractBroken, CredentialsRejected, PlatformDown, Row, ShopContext, read_row

from zaiko_base.refusals import GrantRefused
from zaiko_base.settings import BaseSettings

REFRESH_LIFE = timedelta(days=30)
_EARLY = timedelta(seconds=60)
"""How long before its end an access token is replaced."""
_SECOND_LOOKS = (1.0, 3.0)
"""Seconds to wait until another process that may have used the same refresh token has saved the new
one."""

Ask = Callable[[Mapping[str, str]], Awaitable[Any]]
"""Sends a form to the token URL and returns the reply's body. Raises GrantRefused and Retry."""


class TokenReply(Row):
    """A reply of the token URL."""

    access_token: str = Field(min_length=1)
    refresh_token: str = Field(min_length=1)
    expires_in: int = Field(ge=0, le=10_000_000)


class Tokens(Row):
    """The remembered tokens of a shop, as they are stored."""

    access: str = Field(repr=False)
    refresh: str = Field(repr=False)
    got_at: datetime
    ends_at: datetime

    def document(self) -> dict[str, str]:
        """Return the tokens as ConnectorState keeps them."""
        return {
            "access": self.access,
            "refresh": self.refresh,
            "got_at": self.got_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
        }


@dataclass(slots=True)
class TokenKeeper:
    """Provides the access token of a request. One refresh runs at a time; other tasks wait for
    it."""

    context: ShopContext
    settings: BaseSettings
    ask: Ask
    _tokens: Tokens | None = field(default=None, repr=False)
    _unsaved: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[Tokens]] = field(default_factory=set, repr=False)

    async def current(self) -> Tokens:
        """Return tokens that should work. Raises CredentialsRejected, Retry and ContractBroken."""
        return await self._uninterrupted(self._current())

    async def renewed(self, refused: str) -> Tokens:
        """Return tokens other than those whose access token was just refused."""
        return await self._uninterrupted(self._renewed(refused))

    async def aclose(self) -> None:
        """Wait for a refresh that is under way: its reply is the only copy of the new token."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _uninterrupted(self, work: Any) -> Tokens:
        # A run that is cancelled between BASE's reply and our saving it would lose the shop's only
        # valid token.
        task: asyncio.Task[Tokens] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Tokens]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _current(self) -> Tokens:
        async with self._turn:
            if self._tokens is None:
                self._tokens = await self._saved()
            await self._save()
            if self._tokens is None or self._tokens.ends_at - _EARLY <= self.context.clock.now():
                await self._refresh()
            assert self._tokens is not None
            return self._tokens

    async def _renewed(self, refused: str) -> Tokens:
        async with self._turn:
            await self._save()
            if (
                self._tokens is None or self._tokens.access == refused
            ):  # else another task was quicker
                saved = await self._saved()
                if (
                    saved is not None
                    and saved.access != refused
                    and saved.ends_at > self.context.clock.now()
                ):
                    self._tokens = saved
                else:
                    await self._refresh()
            assert self._tokens is not None
            return self._tokens

    async def _refresh(self) -> None:
        """Replace the tokens. The caller holds the turn, and nothing is unsaved."""
        tried = self._tokens.refresh if self._tokens else None
        try:
            self._take(await self.ask(self._grant(tried)))
        except GrantRefused as error:
            # Another process may have used the same token first: then the new one is, or soon will
            # be, in the memory.
            for delay in (0.0, *_SECOND_LOOKS):
                await self.context.clock.sleep(delay)
                saved = await self._saved()
                if saved is not None and saved.refresh != tried:
                    self._tokens = saved
                    return
            raise CredentialsRejected(
                "BASE refuses the owner's consent: it was withdrawn, was not used for 30 days, or "
                "its token was used elsewhere. Let the owner agree again and enter the new code "
                "(see README of zaiko-base).",
                platform_message=error.platform_message,
            ) from None
        await self._save()

    def _grant(self, refresh: str | None) -> dict[str, str]:
        app = {
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret.get_secret_value(),
            "redirect_uri": self.settings.redirect_uri,
        }
        if refresh is None and self.settings.code is not None:
            return {
                "grant_type": "authorization_code",
                "code": self.settings.code.get_secret_value(),
                **app,
            }
        if refresh is None:
            assert self.settings.refresh_token is not None
            refresh = self.settings.refresh_token.get_secret_value()
        return {"grant_type": "refresh_token", "refresh_token": refresh, **app}

    def _take(self, body: Any) -> None:
        try:
            reply = read_row(TokenReply, body, what="BASE's reply with tokens")
        except ContractBroken as error:
            # The old token may be invalid nevertheless; the next attempt shows it.
            raise PlatformDown(str(error)) from None
        now = self.context.clock.now()
        ends_at = now + timedelta(seconds=reply.expires_in)
        self._tokens = Tokens(
            access=reply.access_token, refresh=reply.refresh_token, got_at=now, ends_at=ends_at
        )
        self._unsaved = True

    async def _save(self) -> None:
        if self._unsaved and self._tokens is not None:
            await self.context.state.save(self._tokens.document())
            self._unsaved = False

    async def _saved(self) -> Tokens | None:
        """Return the tokens that were saved, or None when there are none or they cannot be
        understood, as after a downgrade."""
        document = await self.context.state.load()
        if not document:
            return None
        try:
            return Tokens.model_validate(dict(document))
        except ValidationError:
            self.context.log.error("tokens_not_understood", fields=sorted(document))
            return None
