"""When silence is news."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.silence import SHARE, Habit, is_day, learn, limit, silence, slot

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
NOW = datetime(2026, 9, 15, 10, tzinfo=UTC)  # a Tuesday, 12 in Denmark


def even(rate: float) -> Habit:
    return Habit({(day, hour): rate for day in range(7) for hour in range(24)})


def history(weeks: int, count: int = 100, **changed: int) -> dict[datetime, int]:
    """The same count in every hour of so many weeks; `back_<hours>` changes single ones."""
    counts = {NOW - back * HOUR: count for back in range(1, weeks * 168 + 1)}
    return counts | {NOW - int(name.removeprefix("back_")) * HOUR: n for name, n in changed.items()}


def how_far(habit: Habit, begins: datetime, ends: datetime) -> float:
    return silence(habit, begins, ends, false_alarms_per_year=1)


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def test_the_stated_rate_is_what_chance_gives() -> None:
    """N silences a year, each as long as L with probability exp(-L): that is the rate that was asked for."""
    habit = even(600)
    for wanted in (0.1, 1, 10):
        assert habit.per_year * math.exp(-limit(habit, wanted)) == pytest.approx(wanted)


@pytest.mark.parametrize("rate", [0, 0.001])
def test_where_next_to_nothing_comes_three_must_be_missing(rate: float) -> None:
    assert limit(even(rate), 1) == 3


def test_chance_alone_reports_no_more_often_than_stated() -> None:
    """The same by trial: a year at 40 a minute, if no more than the share that is counted on came."""
    rng, habit = random.Random(1), even(2_400)
    enough = limit(habit, 100)  # so often that a year shows it
    true_rate = SHARE * 2_400
    silences = int(true_rate * 24 * 364)
    reported = sum(rng.expovariate(true_rate) * true_rate >= enough for _ in range(silences))
    # N * exp(-L) = 100 with N counted by the full rate; the share alone makes fewer.
    assert 15 < reported < 100


@given(
    begins=st.timedeltas(timedelta(), 365 * DAY).map(lambda past: NOW - past),
    lengths=st.lists(st.timedeltas(timedelta(), 2 * DAY), min_size=2, max_size=4),
    rate=st.floats(0.1, 5_000),
)
def test_a_silence_grows_with_every_part_of_it(
    begins: datetime, lengths: list[timedelta], rate: float
) -> None:
    """It never shrinks, and does not care where it is cut in two, summer time or not."""
    habit, at, total = even(rate), begins, 0.0
    for length in lengths:
        part = how_far(habit, at, at + length)
        assert part >= 0
        total, at = total + part, at + length
    assert how_far(habit, begins, at) == pytest.approx(total)
    hours = (at - begins) / HOUR
    assert total == pytest.approx(SHARE * rate * hours / limit(habit, 1))


def test_a_busy_hour_needs_a_short_silence_and_a_quiet_one_a_long_one() -> None:
    habit = Habit({slot(NOW + n * HOUR): (1_000.0 if n < 3 else 10.0) for n in range(24)})
    assert how_far(habit, NOW, NOW + 4 * timedelta(minutes=1)) > 1
    night = NOW + 4 * HOUR
    assert how_far(habit, night, night + HOUR) < 1


# --- what is learnt ---------------------------------------------------------------------------------------------------


def test_two_weeks_are_history_and_one_is_none() -> None:
    assert learn({}, NOW).rates == {}
    assert learn(history(1), NOW).rates == {}
    assert learn(history(2), NOW).rates == even(100).rates
    partly = learn({at: 5 for at in history(2) if at > NOW - 8 * DAY}, NOW).rates
    assert set(partly) == {slot(NOW - back * HOUR) for back in range(1, 24)}


def test_an_hour_in_which_nothing_came_counts_as_nothing() -> None:
    counts = {at: n for at, n in history(8).items() if slot(at) != slot(NOW)}
    assert learn(counts, NOW).rates[slot(NOW)] == 0


@pytest.mark.parametrize("others", [0, 50, 3_000])
def test_outages_holidays_and_floods_among_the_weeks_change_little(others: int) -> None:
    changed = {f"back_{week * 168}": others for week in (1, 3, 6)}
    assert learn(history(8, **changed), NOW).rates[slot(NOW)] == 100


def test_an_hour_of_the_week_keeps_its_place_when_the_clock_changes() -> None:
    """12 on a Tuesday in Denmark is 10 UTC in summer and 11 UTC in winter."""
    counts = {}
    for week in range(1, 9):
        for back in range(168):
            at = NOW - week * WEEK + back * HOUR
            counts[at] = 900 if slot(at) == (1, 12) else 1
    winter = datetime(2026, 10, 27, 11, 30, tzinfo=UTC)
    habit = learn(counts, NOW)
    assert habit.rates[slot(winter)] == 900
    assert habit.rates[slot(winter - HOUR)] == 1


def test_without_history_the_settings_decide_or_nothing_does() -> None:
    def unlearnt(at: datetime) -> timedelta:
        return timedelta(minutes=30) if is_day(at) else timedelta(hours=3)

    def news(begins: datetime, ends: datetime) -> bool:
        return silence(Habit({}), begins, ends, false_alarms_per_year=1, unlearnt=unlearnt) >= 1

    assert not news(NOW, NOW + timedelta(minutes=29, seconds=59))
    assert news(NOW, NOW + timedelta(minutes=30))
    night = datetime(2026, 9, 15, 21, tzinfo=UTC)
    assert not news(night, night + timedelta(hours=2, minutes=59))
    assert news(night, night + timedelta(hours=3))
    # Half of the night's three hours, and then half of the day's thirty minutes.
    morning = datetime(2026, 9, 15, 3, 30, tzinfo=UTC)
    assert not news(morning, morning + timedelta(minutes=104))
    assert news(morning, morning + timedelta(minutes=105))
    assert how_far(Habit({}), NOW, NOW + WEEK) == 0


def test_day_is_danish_day() -> None:
    assert is_day(datetime(2026, 7, 1, 5, tzinfo=UTC))  # 7
    assert not is_day(datetime(2026, 1, 1, 5, tzinfo=UTC))  # 6
    assert not is_day(datetime(2026, 7, 1, 20, tzinfo=UTC))  # 22
