"""Why a shop showed another number than expected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from zaiko_core.domain.drift import (
    Circumstances,
    Difference,
    DriftCause,
    is_order_in_flight,
    on_expiry,
    on_reading,
    weighed,
)
from zaiko_core.domain.fence import InventoryBelief, PendingWrite, ReadingVerdict, observe

CALM = InventoryBelief(expected=10, must_read=False)


def read(belief: InventoryBelief, quantity: int | None) -> Difference | None:
    after, verdict = observe(belief, quantity, at=5, now=6)
    return on_reading(belief, after, verdict, quantity)


def test_a_number_as_expected_is_no_difference() -> None:
    assert read(CALM, 10) is None
    assert read(InventoryBelief(), 10) is None
    assert read(CALM, None) is None


def test_a_higher_number_was_edited() -> None:
    assert read(CALM, 12) == Difference(DriftCause.EDITED_IN_SHOP, 10, 12)


def test_a_lower_number_waits_for_an_order_to_explain_it() -> None:
    assert read(CALM, 8) is None


def test_suspected_units_that_came_back_are_no_edit() -> None:
    assert read(replace(CALM, unexplained=2), 12) is None


def test_a_write_that_was_lost() -> None:
    assert read(replace(CALM, pending=PendingWrite("k", 15, 0)), 10) == Difference(
        DriftCause.PUSH_LOST, 15, 10
    )
    assert read(replace(CALM, pending=PendingWrite("k", 15, 0)), 15) is None


def test_a_write_that_was_acknowledged_and_not_applied() -> None:
    saying = replace(CALM, replaced=4, tells_states=True)
    assert read(saying, 4) == Difference(DriftCause.NOT_APPLIED, 10, 4)
    assert read(replace(CALM, replaced=14), 14) == Difference(DriftCause.NOT_APPLIED, 10, 14)
    assert read(replace(CALM, replaced=4), 10) is None


def test_a_number_below_a_write_may_be_an_order_where_the_platform_does_not_say() -> None:
    assert read(replace(CALM, replaced=4), 4) is None
    lost = Difference(DriftCause.PUSH_LOST, 10, 4)
    assert is_order_in_flight(lost, Circumstances(committed_more=6))
    assert not is_order_in_flight(lost, Circumstances())


def test_a_number_is_not_called_an_edit_while_own_orders_come() -> None:
    assert read(replace(CALM, is_busy=True), 12) == Difference(DriftCause.UNKNOWN, 10, 12)
    assert read(replace(CALM, is_busy=True, replaced=14), 14) == Difference(
        DriftCause.UNKNOWN, 10, 14
    )


@pytest.mark.parametrize(
    ("around", "cause"),
    [
        (Circumstances(), DriftCause.UNKNOWN),
        (Circumstances(drops=1), DriftCause.UNKNOWN),
        (Circumstances(drops=2), DriftCause.DROPS_UNEXPLAINED),
        (Circumstances(sold_unlinked=True), DriftCause.BUNDLE_PART),
        (Circumstances(committed_more=2), DriftCause.UNKNOWN),
        (Circumstances(committed_more=3), DriftCause.ORDER_NOT_INGESTED),
        (Circumstances(orders_complete=False, sold_unlinked=True), DriftCause.ORDER_NOT_INGESTED),
    ],
)
def test_a_number_that_no_order_explained_in_time(around: Circumstances, cause: DriftCause) -> None:
    missing = replace(CALM, unexplained=3)
    assert on_expiry(missing, CALM, around) == Difference(cause, 13, 10)


def test_where_the_platform_says_that_no_order_and_no_reservation_took_them_they_were_edited() -> (
    None
):
    missing = replace(CALM, unexplained=3, tells_states=True)
    assert on_expiry(missing, CALM, Circumstances()) == Difference(
        DriftCause.EDITED_IN_SHOP, 13, 10
    )


def test_units_that_went_missing_among_own_orders_are_not_named() -> None:
    missing = replace(CALM, unexplained=3, tells_states=True, is_busy=True)
    around = Circumstances(sold_unlinked=True, committed_more=3, drops=5)
    assert on_expiry(missing, CALM, around) == Difference(DriftCause.UNKNOWN, 13, 10)


def test_a_suspicion_that_goes_on_is_no_difference_yet() -> None:
    missing = replace(CALM, unexplained=3)
    assert on_expiry(missing, missing, Circumstances()) is None


def test_the_third_edit_of_a_listing_with_another_code_speaks_for_a_wrong_link() -> None:
    edit, lost = (
        Difference(DriftCause.EDITED_IN_SHOP, 10, 12),
        Difference(DriftCause.PUSH_LOST, 10, 12),
    )
    suspicious = Circumstances(edits=2, codes_differ=True)
    assert weighed(edit, suspicious).cause is DriftCause.WRONG_LINK
    assert weighed(edit, replace(suspicious, edits=1)).cause is DriftCause.EDITED_IN_SHOP
    assert weighed(edit, replace(suspicious, codes_differ=False)).cause is DriftCause.EDITED_IN_SHOP
    unknown = replace(edit, cause=DriftCause.UNKNOWN)
    assert weighed(unknown, suspicious).cause is DriftCause.WRONG_LINK
    assert weighed(lost, suspicious).cause is DriftCause.PUSH_LOST


def test_a_verdict_of_the_fence_is_taken_as_it_is() -> None:
    assert on_reading(CALM, CALM, ReadingVerdict.NONE, 12) is None
