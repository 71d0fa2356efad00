"""When the end of a certificate is news."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.events import Level
from engine.domain.expiry import DAYS, OVER, crossed, left_text, level, uses_text, where_text

ENDS = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (61 * DAY, None),
        (60 * DAY + SECOND, None),
        (60 * DAY, 60),
        (31 * DAY, 60),
        (30 * DAY + SECOND, 60),
        (30 * DAY, 30),
        (14 * DAY + SECOND, 30),
        (14 * DAY, 14),
        (7 * DAY + SECOND, 14),
        (7 * DAY, 7),
        (SECOND, 7),
        (timedelta(), 7),  # the last instant at which it is valid
        (-SECOND, OVER),
        (-400 * DAY, OVER),
    ],
)
def test_each_threshold_begins_at_its_instant(left: timedelta, days: int | None) -> None:
    assert crossed(ENDS, ENDS - left) == days


@given(
    st.timedeltas(min_value=timedelta(), max_value=100 * DAY),
    st.timedeltas(min_value=timedelta(), max_value=9 * DAY),
)
def test_it_never_becomes_less_urgent_as_time_goes_by(left: timedelta, passed: timedelta) -> None:
    far = max(DAYS) + 1
    earlier, later = crossed(ENDS, ENDS - left), crossed(ENDS, ENDS - left + passed)
    assert (far if later is None else later) <= (far if earlier is None else earlier)


def test_the_last_fortnight_is_an_alarm() -> None:
    told = {days: level(days) for days in (*DAYS, OVER)}
    alarm, warning = Level.ALARM, Level.WARNING
    assert told == {60: warning, 30: warning, 14: alarm, 7: alarm, 0: alarm}


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (60 * DAY, "om 60 dage"),
        (2 * DAY, "om 2 dage"),
        (2 * DAY - SECOND, "om 1 dag"),
        (DAY, "om 1 dag"),
        (DAY - SECOND, "om under et døgn"),
    ],
)
def test_what_is_left_in_words(left: timedelta, text: str) -> None:
    assert left_text(ENDS, ENDS - left) == text


def test_what_it_is_for_and_where_it_lies() -> None:
    assert uses_text(["vans"]) == "VANS ud"
    assert uses_text(["vans", "beskedfordeler", "vans"]) == "Beskedfordeleren og VANS ud"
    assert uses_text(["listen", "vans", "beskedfordeler"]) == (
        "Beskedfordeleren, VANS ud og indgangen over HTTPS"
    )
    assert where_text([""]) == ""
    assert where_text(["b:/x", "a:/x", "b:/x"]) == " på a:/x og b:/x"
