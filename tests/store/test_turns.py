"""Writers of one merchant take turns in their process, before the database."""

from __future__ import annotations

import threading

import pytest
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_core.storage.turns import KeyedLock


def test_one_at_a_time_and_others_are_not_waited_for() -> None:
    turns, at_work, most = KeyedLock(10), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal at_work, most
        for _ in range(200):
            with turns.taken("aoi"):
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                with lock:
                    at_work -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    with turns.taken("beni"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert most == 1


def test_who_waits_too_long_is_told_and_takes_nothing() -> None:
    turns = KeyedLock(0.05)
    refused: list[bool] = []

    def wait() -> None:
        with pytest.raises(StorageUnavailable, match="try again"), turns.taken("aoi"):
            pass
        refused.append(True)

    with turns.taken("aoi"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join()
    with turns.taken("aoi"):
        pass

    assert refused == [True]


def test_a_turn_ends_with_an_error_too_and_nothing_is_kept_of_it() -> None:
    turns = KeyedLock(0.05)

    with pytest.raises(KeyError), turns.taken("aoi"):
        raise KeyError

    with turns.taken("aoi"):
        pass
    assert not turns._turns
    assert not turns._wanted
