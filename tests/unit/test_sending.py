"""Whether numbers may be sent to a shop."""

from __future__ import annotations

import pytest
from zaiko_core.domain.sending import Sending, sending


@pytest.mark.parametrize(
    ("offered", "paused", "shadow", "expected"),
    [
        (True, False, False, Sending.ALLOWED),
        (True, False, True, Sending.COMPARED),
        (False, False, False, Sending.HELD),
        (False, False, True, Sending.HELD),
        (True, True, False, Sending.HELD),
        (True, True, True, Sending.HELD),
    ],
)
def test_numbers_are_sent_only_where_nothing_forbids_it(
    offered: bool, paused: bool, shadow: bool, expected: Sending
) -> None:
    assert sending(offered=offered, paused=paused, shadow=shadow) is expected
