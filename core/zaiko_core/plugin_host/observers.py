"""Delivers events to plugins, without ever waiting for them.

Each plugin has a thread and a bounded queue of its own, so a plugin that is slow, raises or hangs
affects only itself. Delivery is best effort within this process, at most once, in order per plugin:
what is queued when the process dies is lost.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from zaiko_sdk import Log

CAPACITY = 1_000
"""Events that wait for one plugin; later ones are dropped."""

_Call = tuple[str, Callable[[Any], None], object]


class Observers:
    """`hooks(name)` gives (plugin, implementation) of a hook. `publish`: from any thread; `close`
    once, after the last."""

    def __init__(
        self,
        hooks: Callable[[str], Sequence[tuple[str, Callable[..., Any]]]],
        log: Log,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self._hooks, self._log, self._capacity = hooks, log, capacity
        self._lock = threading.Lock()
        self._queues: dict[str, _PluginQueue] = {}

    def publish(self, hook: str, event: object) -> None:
        """Queue the event for every plugin that implements the hook. Never blocks, and never raises
        for a plugin's fault."""
        for plugin, function in self._hooks(hook):
            with self._lock:
                if (waiting := self._queues.get(plugin)) is None:
                    waiting = self._queues[plugin] = _PluginQueue(plugin, self._log, self._capacity)
            waiting.put((hook, function, event))

    def dropped(self) -> dict[str, int]:
        """Return the events that were dropped because the plugin was too slow, by plugin."""
        return {name: waiting.dropped for name, waiting in self._queues.items()}

    def close(self, *, grace: float) -> None:
        """Let plugins take what is queued, for `grace` seconds in all; then leave them: their
        threads do not keep the process alive."""
        until = time.monotonic() + grace
        for waiting in self._queues.values():
            waiting.close(until)


class _PluginQueue:
    def __init__(self, plugin: str, log: Log, capacity: int) -> None:
        self.dropped = 0
        self._plugin, self._log = plugin, log
        self._queue: queue.Queue[_Call] = queue.Queue(capacity)
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name=f"zaiko-observer-{plugin}", daemon=True
        )
        self._thread.start()

    def put(self, call: _Call) -> None:
        try:
            self._queue.put_nowait(call)
        except queue.Full:
            self.dropped += 1
            if (
                str(self.dropped).strip("0") == "1"
            ):  # 1, 10, 100 …: a hanging plugin must not fill the log
                self._log.error(
                    "observer_too_slow", plugin=self._plugin, hook=call[0], dropped=self.dropped
                )

    def close(self, until: float) -> None:
        self._closing.set()
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._log.warning(
                "observer_left_behind", plugin=self._plugin, waiting=self._queue.qsize()
            )

    def _work(self) -> None:
        while True:
            try:
                hook, function, event = self._queue.get(timeout=0.2)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            try:
                function(event)
            except BaseException as error:  # noqa: BLE001 - a plugin's own code; its queue goes on with the next event
                self._log.error(
                    "observer_failed", plugin=self._plugin, hook=hook, error=type(error).__name__
                )
