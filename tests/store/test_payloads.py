"""Payloads at rest: unreadable and unsearchable without the key, and any change is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PayloadError
from engine.store.payloads import PayloadBox

BOX = PayloadBox(bytes(range(32)))


@given(st.binary(max_size=2_000))
def test_what_was_sealed_opens_again(plain):
    assert BOX.open(BOX.seal(plain)) == plain


def test_the_sealed_bytes_are_compressed_and_show_nothing():
    plain = b"2509479989 Bruno Test Elmer " * 200
    sealed = BOX.seal(plain)
    assert b"Elmer" not in sealed
    assert len(sealed) < len(plain) / 5
    assert BOX.seal(plain) != sealed  # a fresh nonce each time


@given(st.integers(0, 200), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position, flip):
    sealed = bytearray(BOX.seal(b"indhold" * 30))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(PayloadError):
        BOX.open(bytes(sealed))


def test_another_key_opens_nothing():
    with pytest.raises(PayloadError, match="forkert nøgle"):
        PayloadBox(bytes(32)).open(BOX.seal(b"x"))


def test_a_key_of_another_length_is_refused():
    with pytest.raises(PayloadError, match="32"):
        PayloadBox(b"kort")


def test_the_cpr_hash_depends_on_number_and_key():
    assert BOX.cpr_hash("2509479989") == PayloadBox(bytes(range(32))).cpr_hash("2509479989")
    assert (
        len(
            {
                BOX.cpr_hash("2509479989"),
                BOX.cpr_hash("0101010101"),
                PayloadBox(bytes(32)).cpr_hash("2509479989"),
            }
        )
        == 3
    )
