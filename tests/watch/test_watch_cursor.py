"""The resume token."""

import base64

import pytest
from zaiko_core.domain.errors import HistoryReplaced, ResumeTokenInvalid
from zaiko_server.watch.cursor import Cursors

CURSORS = Cursors(b"key", "epoch", b"stocks\nacme\ntea")


def test_a_token_says_where_it_was_made() -> None:
    assert CURSORS.read(CURSORS.at(2**40)) == 2**40
    assert CURSORS.read(CURSORS.at(0)) == 0


def test_a_token_from_within_a_snapshot_asks_for_a_new_one() -> None:
    assert CURSORS.read(CURSORS.snapshot()) is None


@pytest.mark.parametrize(
    "other",
    [
        Cursors(b"other", "epoch", b"stocks\nacme\ntea"),
        Cursors(b"key", "epoch", b"stocks\nacme\nrice"),
    ],
    ids=["another database", "another filter"],
)
def test_a_token_of_something_else_is_refused(other: Cursors) -> None:
    with pytest.raises(ResumeTokenInvalid):
        CURSORS.read(other.at(7))


def test_a_token_from_before_a_restored_backup_is_told_apart() -> None:
    with pytest.raises(HistoryReplaced):
        Cursors(b"key", "restored", CURSORS.scope).read(CURSORS.at(7))


@pytest.mark.parametrize("token", ["", "x", "在庫", "AAAA", "a" * 64, "=" * 9, "!" * 64])
def test_rubbish_is_refused(token: str) -> None:
    with pytest.raises(ResumeTokenInvalid):
        CURSORS.read(token)


def test_no_bit_of_a_token_can_be_changed() -> None:
    token = CURSORS.at(7)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        changed = bytes(byte ^ (1 if place == other else 0) for other, byte in enumerate(raw))
        with pytest.raises(ResumeTokenInvalid):
            CURSORS.read(base64.urlsafe_b64encode(changed).decode().rstrip("="))
