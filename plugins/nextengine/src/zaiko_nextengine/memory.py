"""The one document that is remembered of a shop (`ShopContext.state`): its tokens, and an upload
whose end was not seen.

Two modules write parts of it, so each change is: load, replace these fields, save. Within a process
changes take turns. Two processes could undo each other's change in the moment between load and
save; but runs of one shop never overlap, and a check writes only when tokens rotate, once a day.
"""

from __future__ import annotations

import asyncio

from zaiko_sdk import ConnectorState


class Memory:
    """Safe for several tasks at once."""

    def __init__(self, state: ConnectorState) -> None:
        self._state, self._turn = state, asyncio.Lock()

    async def load(self) -> dict[str, str]:
        """Return all fields. Raises StateUnavailable."""
        return dict(await self._state.load())

    async def change(self, values: dict[str, str], *, forget: tuple[str, ...] = ()) -> None:
        """Replace these fields, and leave out others; the rest stays. Durable on return. Raises
        StateUnavailable."""
        async with self._turn:
            document = {
                key: value for key, value in (await self._state.load()).items() if key not in forget
            }
            await self._state.save(document | values)
