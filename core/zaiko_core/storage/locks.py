"""Locks of this process that writers take before the database's, which then does not know of those
that wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from zaiko_core.domain.errors import StorageUnavailable


class KeyedLock:
    """One lock for each key, for any number of keys. `patience`: seconds that `hold` waits."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._users: dict[str, int] = {}
        """Threads that hold or want each key, so that an unused lock is dropped."""

    @contextlib.contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold the lock of `key` until the block ends. Not reentrant. Raises StorageUnavailable
        when other threads hold it for longer than the patience."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
            self._users[key] = self._users.get(key, 0) + 1
        try:
            if not lock.acquire(timeout=self._patience):
                raise StorageUnavailable("other writers of the same merchant are busy; try again")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                self._users[key] -= 1
                if not self._users[key]:
                    del self._users[key], self._locks[key]
