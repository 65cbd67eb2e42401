"""Resume tokens: what they resume, and that they cannot be forged or reused elsewhere."""

import base64

import pytest
from zaiko_core.domain.errors import HistoryReplaced, ResumeTokenInvalid
from zaiko_server.watch.resume_tokens import ResumeTokens

TOKENS = ResumeTokens(b"key", "epoch", b"stocks\nacme\ntea")


def test_a_token_has_the_revision_to_resume_after() -> None:
    assert TOKENS.read(TOKENS.at(2**40)) == 2**40
    assert TOKENS.read(TOKENS.at(0)) == 0


def test_a_token_from_within_a_snapshot_asks_for_a_new_one() -> None:
    assert TOKENS.read(TOKENS.snapshot()) is None


@pytest.mark.parametrize(
    "other",
    [
        ResumeTokens(b"other", "epoch", b"stocks\nacme\ntea"),
        ResumeTokens(b"key", "epoch", b"stocks\nacme\nrice"),
    ],
    ids=["another database", "another filter"],
)
def test_a_token_of_another_filter_or_database_is_refused(other: ResumeTokens) -> None:
    with pytest.raises(ResumeTokenInvalid):
        TOKENS.read(other.at(7))


def test_a_token_from_before_a_restored_backup_has_its_own_error() -> None:
    with pytest.raises(HistoryReplaced):
        ResumeTokens(b"key", "restored", TOKENS.scope).read(TOKENS.at(7))


@pytest.mark.parametrize("token", ["", "x", "在庫", "AAAA", "a" * 64, "=" * 9, "!" * 64])
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(ResumeTokenInvalid):
        TOKENS.read(token)


def test_no_bit_of_a_token_can_be_changed() -> None:
    token = TOKENS.at(7)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        changed = bytes(byte ^ (1 if place == other else 0) for other, byte in enumerate(raw))
        with pytest.raises(ResumeTokenInvalid):
            TOKENS.read(base64.urlsafe_b64encode(changed).decode().rstrip("="))
