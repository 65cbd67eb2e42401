"""Linking by code never guesses."""

from zaiko_core.domain.matching import Coded, MatchedBy, Matcher, MatchOutcome

PRODUCTS = [Coded("p1", "TEA", "490"), Coded("p2", "POT", "491"), Coded("p3", "CUP", "491")]


def outcome(
    listing: Coded, *others: Coded, by_barcode: bool = True
) -> tuple[MatchOutcome, MatchedBy | None, tuple[str, ...]]:
    match = Matcher([listing, *others], by_barcode=by_barcode).match([listing], PRODUCTS)[0]
    return match.outcome, match.matched_by, match.candidates


def test_a_code_matches_exactly_apart_from_blanks() -> None:
    assert outcome(Coded("l", " TEA ")) == (MatchOutcome.MATCHED, MatchedBy.CODE, ("p1",))
    assert outcome(Coded("l", "tea"))[0] is MatchOutcome.UNMATCHED


def test_the_barcode_is_the_second_try_and_only_if_asked() -> None:
    assert outcome(Coded("l", "x", "490")) == (MatchOutcome.MATCHED, MatchedBy.BARCODE, ("p1",))
    assert outcome(Coded("l", "x", "490"), by_barcode=False)[0] is MatchOutcome.UNMATCHED
    assert outcome(Coded("l", "POT", "490"))[2] == ("p2",)


def test_two_products_with_one_barcode_are_ambiguous() -> None:
    assert outcome(Coded("l", "", "491")) == (
        MatchOutcome.AMBIGUOUS,
        MatchedBy.BARCODE,
        ("p2", "p3"),
    )


def test_two_listings_with_one_code_are_ambiguous() -> None:
    assert outcome(Coded("l", "TEA"), Coded("twin", "TEA"))[0] is MatchOutcome.AMBIGUOUS


def test_nothing_matches_nothing() -> None:
    assert outcome(Coded("l", "", ""))[0] is MatchOutcome.UNMATCHED
