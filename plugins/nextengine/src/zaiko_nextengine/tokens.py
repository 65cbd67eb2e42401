"""The tokens of one shop (FACTS.md §1). Next Engine has no call to refresh them: the first call
after the access token's end succeeds, and its reply contains a new pair, also when the reply is an
error. That reply is the only copy of the pair."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import Field, ValidationError
from zaiko_sdk import ContractBroken, PlatformDown, Row, ShopContext, StateUnavailable, read_row

from zaiko_nextengine.memory import Memory
from zaiko_nextengine.rows import OptionalMoment
from zaiko_nextengine.settings import NextEngineSettings

_FIELDS = ("access", "refresh", "access_ends", "refresh_ends")
_SECOND_LOOKS = (0.0, 1.0, 3.0)
"""Seconds to wait until another process that may have received a new pair has saved it."""

Login = Callable[[Mapping[str, str]], Awaitable[Any]]
"""Sends uid and state to /api_neauth and returns the reply's body. Raises CredentialsRejected and
Retry."""


class PairReply(Row):
    """The part of every reply that holds tokens."""

    access_token: str = Field(min_length=1)
    refresh_token: str = Field(min_length=1)
    access_token_end_date: OptionalMoment = None
    refresh_token_end_date: OptionalMoment = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """One pair of tokens. The ends are None until a reply contains them."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_ends: datetime | None = None
    refresh_ends: datetime | None = None

    def form(self) -> dict[str, str]:
        """Return the tokens as each call sends them."""
        return {"access_token": self.access, "refresh_token": self.refresh}

    def document(self) -> dict[str, str]:
        """Return the tokens as the memory stores them."""
        ends = {"access_ends": self.access_ends, "refresh_ends": self.refresh_ends}
        known = {name: moment.isoformat() for name, moment in ends.items() if moment is not None}
        return {"access": self.access, "refresh": self.refresh, **known}


@dataclass(slots=True)
class TokenKeeper:
    """Provides the tokens of a call and keeps those in its reply. Its client makes sure that one
    call at a time uses it."""

    context: ShopContext
    settings: NextEngineSettings
    memory: Memory
    login: Login
    _tokens: Tokens | None = field(default=None, repr=False)
    _unsaved: bool = False

    async def current(self) -> Tokens:
        """Return the tokens to use now. Raises CredentialsRejected, Retry and ContractBroken."""
        if self._tokens is None:
            self._tokens = await self._saved()
        await self._save()
        if self._tokens is None:
            self._tokens = await self._first()
            await self._save()
        return self._tokens

    async def take(self, body: Any) -> None:
        """Keep the pair in a reply, if it is another one. Never raises: the reply remains valid,
        and what could not be saved is saved before the next call."""
        if not isinstance(body, dict) or "access_token" not in body:
            return
        try:
            given = _pair(body)
        except ContractBroken as error:
            self.context.log.error("tokens_not_understood", problem=str(error))
            return
        known = self._tokens
        if (
            known is not None
            and given.form() == known.form()
            and (given.access_ends is None or given == known)
        ):
            return
        self._tokens, self._unsaved = given, True
        try:
            await self._save()
        except StateUnavailable:
            self.context.log.warning("tokens_not_saved")

    async def newer_than(self, refused: Tokens) -> Tokens | None:
        """Return another pair than the one just refused, if another process has received it; waits
        a little until it is saved."""
        for delay in _SECOND_LOOKS:
            await self.context.clock.sleep(delay)
            saved = await self._saved()
            if saved is not None and saved.access != refused.access:
                self._tokens, self._unsaved = saved, False
                return saved
        return None

    def hide(self, text: str) -> str:
        """Return `text` without any token or other credential, for the platform's own words."""
        for secret in (self._tokens.access, self._tokens.refresh) if self._tokens else ():
            text = text.replace(secret, "[secret]")
        return self.settings.redact(text)

    async def _first(self) -> Tokens:
        if self.settings.access_token is not None and self.settings.refresh_token is not None:
            return Tokens(
                self.settings.access_token.get_secret_value(),
                self.settings.refresh_token.get_secret_value(),
            )
        assert self.settings.state is not None
        assert self.settings.client_secret is not None
        form = {
            "uid": self.settings.uid,
            "state": self.settings.state.get_secret_value(),
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret.get_secret_value(),
        }
        body = await self.login(form)
        try:
            tokens = _pair(body)
        except ContractBroken as error:
            raise PlatformDown(str(error)) from None
        self._unsaved = True
        return tokens

    async def _save(self) -> None:
        if self._unsaved and self._tokens is not None:
            await self.memory.change(self._tokens.document(), forget=_FIELDS)
            self._unsaved = False

    async def _saved(self) -> Tokens | None:
        """Return the tokens in the memory, or None when there are none or they cannot be
        understood, as after a downgrade."""
        document = await self.memory.load()
        if "access" not in document:
            return None
        try:
            return _Kept.model_validate({name: document.get(name) for name in _FIELDS}).tokens()
        except ValidationError:
            self.context.log.error("saved_tokens_not_understood")
            return None


class _Kept(Row):
    access: str = Field(min_length=1)
    refresh: str = Field(min_length=1)
    access_ends: datetime | None
    refresh_ends: datetime | None

    def tokens(self) -> Tokens:
        return Tokens(self.access, self.refresh, _utc(self.access_ends), _utc(self.refresh_ends))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _pair(body: Any) -> Tokens:
    reply = read_row(PairReply, body, what="Next Engine's reply with tokens")
    return Tokens(
        reply.access_token,
        reply.refresh_token,
        reply.access_token_end_date,
        reply.refresh_token_end_date,
    )
