"""Everything that may break at once, by a seed: crashes at every await of a run, every kind of
reply, buyers, staff and proxies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from zaiko_core.bootstrap import Engine
from zaiko_sdk import (
    ContractBroken,
    CredentialsRejected,
    InventoryMode,
    InventoryWrite,
    ItemRefused,
    PermissionMissing,
    PlatformDown,
    Throttled,
    Timeout,
)

from support.simulation import VISIBILITY, Killed, Simulation

_REPLIES: dict[str, Callable[[], Exception]] = {
    "request never left": lambda: Timeout("no connection", sent=False),
    "request left and was lost": lambda: Timeout("lost", sent=None),
    "5xx": lambda: PlatformDown("503"),
    "throttled": lambda: Throttled("429", retry_after=3),
    "malformed reply": lambda: ContractBroken("not JSON"),
    "item refused": lambda: ItemRefused("not now"),
    "credentials rejected": lambda: CredentialsRejected("401"),
    "permission missing": lambda: PermissionMissing("403"),
}
"""What a platform may answer before it has done anything."""


@dataclass
class Storm(Simulation):
    """Three shops (compare-and-set, adjust, set) that sell `tea`. `met` counts what happened, by
    kind.

    In every second storm numbers are also changed by others: edited by hand, or written a second
    time by a proxy. A number that was raised by hand by what an unseen order takes shows just what
    was expected: nobody can see that order then. So what is sent is checked against unseen orders
    in the other storms only.
    """

    met: Counter[str] = field(default_factory=Counter)
    replays: list[tuple[str, InventoryWrite]] = field(default_factory=list)
    """Writes that a proxy may send once more."""
    conversation: list[tuple[str, ...]] = field(default_factory=list)
    """Every call to a platform, and every write that was sent: see support/journals.py."""

    @property
    def meddling(self) -> bool:
        """Whether others change numbers in this storm."""
        return self.seed % 2 == 1

    def new_engine(self) -> Engine:
        """As always, with a process that may die around every transaction, and a network that
        repeats and forgets."""
        engine = super().new_engine()
        for name in ("write", "read"):
            setattr(engine.db, name, self._mortal(name, getattr(engine.db, name)))
        scheduler: Any = engine._scheduler
        scheduler._jobs = self._mortal("jobs", scheduler._jobs)
        for kind in engine.registry.types.values():
            opened = kind.open

            def open_shop(context: Any, settings: Any, opened: Any = opened) -> Any:
                connector = opened(context, settings)
                connector.set_inventory = self._network(settings.shop, connector.set_inventory)
                return connector

            object.__setattr__(kind, "open", open_shop)
        return engine

    def interfere(self, name: str, moment: str, operation: str) -> None:
        """What happens to a shop while the engine talks with it."""
        self.conversation.append((name, moment, operation, str(self.clock.now())))
        if moment == "after" and operation == "set_inventory" and not self.meddling:
            self.check_nothing_was_overwritten(name)
        self.clock.advance(1.1)
        if self.calm or self.random.random() > self.chaos:
            return
        if self.random.random() < 0.6:
            self.shop_event(name)
            return
        if moment == "before":
            what = self.random.choice(list(_REPLIES))
            self._count(f"{operation}: {what}")
            raise _REPLIES[what]()
        if operation == "set_inventory":
            self._count(f"{operation}: applied, reply lost")
            raise Timeout("lost", sent=True)
        self._count(f"{operation}: reply lost")
        raise Timeout("lost", sent=True)

    def shop_event(self, name: str) -> None:
        """Something that buyers, staff or a proxy do."""
        choice = self.random.random() if self.meddling else 1.0
        if choice < 0.06:
            self.clock.advance(1.1)
            self._count("edited by hand in the shop")
            self.shops[name].stock["tea"] = self.random.randint(0, 20)
        elif choice < 0.12 and self.replays:
            self.clock.advance(1.1)
            self._count("write applied twice by a proxy")
            self._replay(*self.replays.pop())
        else:
            super().shop_event(name)

    def _mortal(
        self, what: str, work: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            if not self.calm and self.random.random() < self.chaos / 40:
                self._count(f"killed before a {what}")
                raise Killed
            result = await work(*args, **kwargs)
            if not self.calm and self.random.random() < self.chaos / 40:
                self._count(f"killed after a {what}")
                raise Killed
            return result

        return run

    def _network(
        self, shop: str, send: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def run(writes: Sequence[InventoryWrite], key: str) -> Any:
            self.conversation.append((shop, key, *map(repr, writes)))
            results = await send(writes, key)
            if self.calm:
                return results
            self.replays = [
                (shop, write) for write in writes if self.random.random() < 0.3
            ] + self.replays[:3]
            if self.random.random() < self.chaos / 4:
                self._count("reply says nothing of an item")
                return []
            return results

        return run

    def _replay(self, name: str, write: InventoryWrite) -> None:
        """The platform gets a write a second time, late. One that is conditional or has a key is
        refused then."""
        shop, listing = self.shops[name], write.ref.external_id
        if shop.mode is InventoryMode.SET:
            shop.stock[listing] = write.quantity
        elif shop.mode is InventoryMode.ADJUST:
            shop.stock[listing] = max(0, shop.stock[listing] + write.delta)

    def _count(self, what: str) -> None:
        self.faults += 1
        self.met[what] += 1


def storm_run(url: str, seed: int, steps: int, kind: type[Storm] = Storm) -> Storm:
    """Return a storm of `steps` turns, after everything has settled."""
    storm = kind(url, seed, goods=("tea", "cup"))
    storm.calm = True
    storm.begin(units=40)
    storm.storm(steps, [0.1, 5, VISIBILITY, 120, 600])
    storm.settle(turns=16)
    return storm
