"""One thread of a process at a time is at the same thing; the others wait here, where the database
does not know of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from zaiko_core.domain.errors import StorageUnavailable


class KeyedLock:
    """For each key one thread at a time, for any number of keys; one that waits `patience` seconds
    is told."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._wanted: dict[str, int] = {}
        """By how many threads, so that nothing is kept of what nobody is at."""

    @contextlib.contextmanager
    def taken(self, key: str) -> Iterator[None]:
        """For as long as the block lasts; not from within. Raises StorageUnavailable."""
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
            self._wanted[key] = self._wanted.get(key, 0) + 1
        try:
            if not turn.acquire(timeout=self._patience):
                raise StorageUnavailable("others are at work on the same merchant; try again")
            try:
                yield
            finally:
                turn.release()
        finally:
            with self._lock:
                self._wanted[key] -= 1
                if not self._wanted[key]:
                    del self._wanted[key], self._turns[key]
