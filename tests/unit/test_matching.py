"""Linking by code never guesses."""

from zaiko_core.domain.matching import Coded, MatchedBy, Matcher, Outcome

PRODUCTS = [Coded("p1", "TEA", "490"), Coded("p2", "POT", "491"), Coded("p3", "CUP", "491")]


def outcome(
    listing: Coded, *others: Coded, by_barcode: bool = True
) -> tuple[Outcome, MatchedBy | None, tuple[str, ...]]:
    match = Matcher([listing, *others], by_barcode=by_barcode).match([listing], PRODUCTS)[0]
    return match.outcome, match.matched_by, match.candidates


def test_a_code_matches_exactly_apart_from_blanks() -> None:
    assert outcome(Coded("l", " TEA ")) == (Outcome.MATCHED, MatchedBy.CODE, ("p1",))
    assert outcome(Coded("l", "tea"))[0] is Outcome.UNMATCHED


def test_the_barcode_is_the_second_try_and_only_if_asked() -> None:
    assert outcome(Coded("l", "x", "490")) == (Outcome.MATCHED, MatchedBy.BARCODE, ("p1",))
    assert outcome(Coded("l", "x", "490"), by_barcode=False)[0] is Outcome.UNMATCHED
    assert outcome(Coded("l", "POT", "490"))[2] == ("p2",)


def test_two_products_with_one_barcode_are_ambiguous() -> None:
    assert outcome(Coded("l", "", "491")) == (Outcome.AMBIGUOUS, MatchedBy.BARCODE, ("p2", "p3"))


def test_two_listings_with_one_code_are_ambiguous() -> None:
    assert outcome(Coded("l", "TEA"), Coded("twin", "TEA"))[0] is Outcome.AMBIGUOUS


def test_nothing_matches_nothing() -> None:
    assert outcome(Coded("l", "", ""))[0] is Outcome.UNMATCHED
