"""What became of an addition whose answer was lost: against a shop that is told when it was applied, and tells nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from zaiko_core.domain.additions import ARRIVAL, Attempt, Own, Reading, Verdict, judge, orders_known_at, readable_at
from zaiko_core.domain.fence import Mode

SECOND = 1_000_000
VISIBILITY = 60 * SECOND
BASE_AT = 1_000 * SECOND + 400_000
SENT = Attempt(key="k", units=5, base=20, base_at=BASE_AT, at=BASE_AT + SECOND)


@dataclass(frozen=True)
class Story:
    """What truly happened: the request's arrival (µs after it was sent, None: lost), orders as (µs after the base reading, units),
    and the last reading (µs after it may tell)."""

    mode: Mode
    units: int
    arrival: int | None
    orders: tuple[tuple[int, int], ...]
    later: int
    answered: bool = False

    @property
    def attempt(self) -> Attempt:
        attempt = replace(SENT, units=self.units)
        told = self.answered and self.arrival is not None and self.mode is Mode.SET
        return replace(attempt, acknowledged_at=attempt.at + (self.arrival or 0)) if told else attempt

    @property
    def reading_at(self) -> int:
        return readable_at(self.attempt) + self.later

    def play(self) -> tuple[int, bool, int]:
        """The number at the reading, whether the write was applied, and what it overwrote."""
        attempt, number, was_applied, overwritten = self.attempt, SENT.base, False, 0
        happening = [(BASE_AT + after, 1, units) for after, units in self.orders]
        if self.arrival is not None:
            happening.append((attempt.at + self.arrival, 0, 0))
        for at, kind, units in sorted(happening):
            if at > self.reading_at:
                break
            if kind == 1:
                number -= units
            elif self.mode is Mode.ADJUST:
                number, was_applied = number + attempt.units, True
            elif self.mode is Mode.SET:
                overwritten = attempt.base - number
                number, was_applied = attempt.base + attempt.units, True
            elif number == attempt.base:
                number, was_applied = attempt.base + attempt.units, True
        return number, was_applied, overwritten

    def own(self) -> list[Own]:
        """The orders as the platform tells of them: in whole seconds."""
        return [Own(units, (BASE_AT + after) // SECOND * SECOND) for after, units in self.orders]


stories = st.builds(
    Story,
    mode=st.sampled_from(Mode),
    units=st.integers(1, 8),
    arrival=st.none() | st.integers(0, ARRIVAL - 1),
    orders=st.lists(st.tuples(st.integers(1, 3 * ARRIVAL), st.integers(1, 8)), max_size=5).map(tuple),
    later=st.integers(0, 2 * ARRIVAL),
    answered=st.booleans(),
)


@given(stories)
def test_what_is_decided_is_what_happened_whenever_the_request_arrived(story: Story) -> None:
    shown, was_applied, overwritten = story.play()
    reading = Reading(shown, story.reading_at)
    known = orders_known_at(reading, VISIBILITY)
    judged = judge(story.attempt, story.mode, reading, story.own(), fetched_at=known, visibility=VISIBILITY)
    event(f"{story.mode} {judged.verdict}")
    if judged.verdict is Verdict.ADDED:
        assert was_applied
        assert judged.overwritten == overwritten
    elif judged.verdict is Verdict.NOT_ADDED:
        assert not was_applied


@given(stories)
def test_a_lost_answer_is_always_decided_when_no_order_falls_into_the_second_of_a_reading(story: Story) -> None:
    edges = {BASE_AT // SECOND, story.reading_at // SECOND}
    story = replace(story, orders=tuple(o for o in story.orders if (BASE_AT + o[0]) // SECOND not in edges))
    shown, was_applied, _ = story.play()
    reading = Reading(shown, story.reading_at)
    known = orders_known_at(reading, VISIBILITY)
    judged = judge(story.attempt, story.mode, reading, story.own(), fetched_at=known, visibility=VISIBILITY)
    assert judged.verdict is (Verdict.ADDED if was_applied else Verdict.NOT_ADDED)


@given(stories)
def test_nothing_is_decided_while_an_order_of_the_reading_may_be_unreadable(story: Story) -> None:
    shown, _, _ = story.play()
    reading = Reading(shown, story.reading_at)
    early = orders_known_at(reading, VISIBILITY) - 1
    judged = judge(story.attempt, story.mode, reading, [], fetched_at=early, visibility=VISIBILITY)
    assert judged.verdict is Verdict.WAIT


@pytest.mark.parametrize("mode", Mode)
def test_a_reading_that_the_request_may_still_follow_tells_nothing(mode: Mode) -> None:
    reading = Reading(SENT.base, readable_at(SENT) - 1)
    judged = judge(SENT, mode, reading, [], fetched_at=reading.at + VISIBILITY, visibility=VISIBILITY)
    assert judged.verdict is Verdict.READ


def test_an_acknowledged_conditional_or_relative_change_needs_no_reading() -> None:
    answered = replace(SENT, acknowledged_at=SENT.at + 8 * SECOND)
    for mode in (Mode.COMPARE_AND_SET, Mode.ADJUST):
        assert judge(answered, mode, None, [], fetched_at=0, visibility=VISIBILITY).verdict is Verdict.ADDED
    assert judge(answered, Mode.SET, None, [], fetched_at=0, visibility=VISIBILITY).verdict is Verdict.READ


def test_an_absolute_write_that_overwrote_an_order_says_how_many_units_to_take_off_again() -> None:
    answered = replace(SENT, acknowledged_at=SENT.at + 8 * SECOND)
    reading = Reading(SENT.base + SENT.units, SENT.at + 10 * SECOND)
    order = Own(3, (SENT.at + 5 * SECOND) // SECOND * SECOND)
    judged = judge(answered, Mode.SET, reading, [order], fetched_at=reading.at + VISIBILITY, visibility=VISIBILITY)
    assert (judged.verdict, judged.overwritten) == (Verdict.ADDED, 3)


@pytest.mark.parametrize("shown", [SENT.base + 1, SENT.base - 1, SENT.base + SENT.units + 1])
def test_a_number_that_fits_neither_story_is_left_to_people(shown: int) -> None:
    reading = Reading(shown, readable_at(SENT))
    judged = judge(SENT, Mode.ADJUST, reading, [], fetched_at=reading.at + VISIBILITY, visibility=VISIBILITY)
    assert judged.verdict is Verdict.UNDECIDED


def test_a_cancelled_order_of_as_many_units_makes_both_stories_fit_and_is_left_to_people() -> None:
    moment = (SENT.at + 5 * SECOND) // SECOND * SECOND
    reading = Reading(SENT.base, readable_at(SENT))
    orders = [Own(SENT.units, moment), Own(-SENT.units, moment)]
    judged = judge(SENT, Mode.ADJUST, reading, orders, fetched_at=reading.at + VISIBILITY, visibility=VISIBILITY)
    assert judged.verdict is Verdict.UNDECIDED


BEFORE_THE_ANSWER, AFTER_THE_ANSWER = SENT.at // SECOND * SECOND + 5 * SECOND, SENT.at // SECOND * SECOND + 20 * SECOND
ANSWERED = replace(SENT, acknowledged_at=SENT.at + 10 * SECOND)


@pytest.mark.parametrize(
    ("rule", "attempt", "mode", "shown", "orders", "verdict"),
    [
        ("an order before the base is in the base", SENT, Mode.ADJUST, 25, [Own(3, BASE_AT - 10 * SECOND)], Verdict.ADDED),
        ("an order after the reading is not in it", SENT, Mode.ADJUST, 25, [Own(3, SENT.at + 2 * ARRIVAL)], Verdict.ADDED),
        ("a relative change overwrites nothing", SENT, Mode.ADJUST, 25, [Own(3, BEFORE_THE_ANSWER)], Verdict.UNDECIDED),
        (
            "a cancellation may have given back",
            SENT,
            Mode.ADJUST,
            25,
            [Own(2, BEFORE_THE_ANSWER), Own(-2, AFTER_THE_ANSWER)],
            Verdict.ADDED,
        ),
        (
            "an answer rules out that it was not added",
            ANSWERED,
            Mode.SET,
            20,
            [Own(5, AFTER_THE_ANSWER), Own(-5, AFTER_THE_ANSWER)],
            Verdict.ADDED,
        ),
        (
            "overwritten or given back cannot be told apart",
            ANSWERED,
            Mode.SET,
            25,
            [Own(3, BEFORE_THE_ANSWER), Own(-3, AFTER_THE_ANSWER)],
            Verdict.UNDECIDED,
        ),
        ("an order after the answer is not overwritten", ANSWERED, Mode.SET, 25, [Own(3, AFTER_THE_ANSWER)], Verdict.UNDECIDED),
        (
            "an order in the second of the base never becomes clear",
            SENT,
            Mode.ADJUST,
            25,
            [Own(3, BASE_AT // SECOND * SECOND)],
            Verdict.UNDECIDED,
        ),
    ],
)
def test_what_the_judgement_rests_on(
    rule: str, attempt: Attempt, mode: Mode, shown: int, orders: list[Own], verdict: Verdict
) -> None:
    reading = Reading(shown, readable_at(SENT) + SECOND // 2)
    judged = judge(attempt, mode, reading, orders, fetched_at=reading.at + VISIBILITY, visibility=VISIBILITY)
    assert judged.verdict is verdict, rule
