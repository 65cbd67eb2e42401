"""What a connector remembers over restarts (zaiko_sdk.ConnectorState), in the store and sealed."""

from __future__ import annotations

from collections.abc import Mapping

from zaiko_sdk import StateUnavailable

from zaiko_core.domain.errors import NotFound, SecretKeyMissing, Unavailable, WriteConflict
from zaiko_core.storage.database import Database
from zaiko_core.storage.secrets import SecretBox

_LIMIT = 64 * 1024


class StoredState:
    """The state of one shop. It carries no revision: nobody watches it. A shop deleted meanwhile
    remembers nothing. It is saved whether the run still has its lease or not: the platform has
    changed the token already, and forgets the one before."""

    def __init__(self, db: Database, box: SecretBox, merchant: str, shop: str) -> None:
        self._db, self._box, self._merchant, self._shop = db, box, merchant, shop

    async def load(self) -> Mapping[str, str]:
        """See ConnectorState.load."""
        try:
            return self._box.open(
                await self._db.read(self._merchant, lambda uow: uow.shops.load_state(self._shop))
            )
        except (Unavailable, NotFound, SecretKeyMissing) as error:
            raise StateUnavailable(error.message) from error

    async def save(self, values: Mapping[str, str]) -> None:
        """See ConnectorState.save."""
        sealed = self._box.seal(values)
        if len(sealed) > _LIMIT:
            raise ValueError(
                f"a connector's state is at most {_LIMIT} bytes when sealed, not {len(sealed)}"
            )
        try:
            await self._db.write(
                self._merchant, lambda uow: uow.shops.save_state(self._shop, sealed)
            )
        except (Unavailable, NotFound, WriteConflict) as error:
            raise StateUnavailable(error.message) from error
