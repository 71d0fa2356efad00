from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.ids import is_cpr, is_gln, is_uuid
from engine.simulation.made_up import BRUNO, danish_time, dice, made_up_gln, made_up_id, made_up_person


@pytest.mark.parametrize("number", [0, 1, 7, 123, 10_101, 99_999])
def test_a_made_up_gln_has_a_valid_check_digit(number):
    assert is_gln(made_up_gln(number))


def test_made_up_persons_have_the_form_and_cannot_be_anybody():
    for number in range(500):
        person = made_up_person(dice("persons", number))
        assert is_cpr(person.cpr)
        assert person.family == "Test"
        assert person.cpr[6] in "5678"  # with the year below: born 1858 to 1899
        assert 58 <= int(person.cpr[4:6]) <= 99
        weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
        assert sum(int(d) * w for d, w in zip(person.cpr, weights, strict=True)) % 11 != 0


def test_bruno_is_the_published_test_person():
    assert is_cpr(BRUNO.cpr)
    assert (*BRUNO.given, BRUNO.family) == ("Bruno", "Test", "Elmer")


def test_ids_are_functions_of_their_parts():
    assert made_up_id("a", 1) == made_up_id("a", 1)
    assert made_up_id("a", 1) != made_up_id("a", 2)
    assert is_uuid(made_up_id("a"))
    assert made_up_id("a")[14] == "5"  # what LPR3 ids must be


@pytest.mark.parametrize(
    ("utc", "hours"),
    [
        (datetime(2024, 1, 15, 12, tzinfo=UTC), 1),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), 1),
        (datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC), 1),
        (datetime(2024, 3, 31, 1, 0, tzinfo=UTC), 2),
        (datetime(2024, 7, 1, tzinfo=UTC), 2),
        (datetime(2024, 10, 27, 0, 59, 59, tzinfo=UTC), 2),
        (datetime(2024, 10, 27, 1, 0, tzinfo=UTC), 1),
        (datetime(2025, 3, 30, 1, 0, tzinfo=UTC), 2),
    ],
)
def test_danish_time_follows_the_eu_rule(utc, hours):
    assert danish_time(utc).utcoffset() == timedelta(hours=hours)
    assert danish_time(utc) == utc
