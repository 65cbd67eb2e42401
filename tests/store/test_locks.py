"""Writers of one merchant take locks in their process, before the database."""

from __future__ import annotations

import threading

import pytest
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.locks import KeyedLock


def test_one_at_a_time_and_others_are_not_waited_for() -> None:
    locks, at_work, most = KeyedLock(10), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal at_work, most
        for _ in range(200):
            with locks.hold("aoi"):
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                with lock:
                    at_work -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    with locks.hold("beni"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert most == 1


def test_who_waits_too_long_is_told_and_takes_nothing() -> None:
    locks = KeyedLock(0.05)
    refused: list[bool] = []

    def wait() -> None:
        with pytest.raises(StorageUnavailable, match="try again"), locks.hold("aoi"):
            pass
        refused.append(True)

    with locks.hold("aoi"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join()
    with locks.hold("aoi"):
        pass

    assert refused == [True]


def test_a_turn_ends_with_an_error_too_and_nothing_is_kept_of_it() -> None:
    locks = KeyedLock(0.05)

    with pytest.raises(KeyError), locks.hold("aoi"):
        raise KeyError

    with locks.hold("aoi"):
        pass
    assert not locks._locks
    assert not locks._users
