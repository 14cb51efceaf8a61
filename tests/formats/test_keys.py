from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import FormatError, UnsupportedError
from dataver.formats.keys import Secret, decode_secret, encode_secret
from tests.formats.samples import SECRET

GOOD = encode_secret(SECRET)


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_comes_back_as_it_was(value: bytes) -> None:
    assert decode_secret(encode_secret(Secret(value)), "keys.toml") == Secret(value)


def test_a_secret_is_toml() -> None:
    assert tomllib.loads(GOOD.decode()) == {"version": 1, "secret": SECRET.value.hex()}


@pytest.mark.parametrize(
    "bad", [b"", GOOD[:-1], GOOD + b"\n", GOOD.upper(), GOOD.replace(b'"', b"'"), b"\xff" * 9000]
)
def test_another_spelling_is_refused(bad: bytes) -> None:
    with pytest.raises(FormatError):
        decode_secret(bad, "keys.toml")


def test_a_later_version_asks_for_an_upgrade() -> None:
    with pytest.raises(UnsupportedError):
        decode_secret(b"version = 2\nsecrets = []\n", "keys.toml")


def test_a_secret_never_shows_itself() -> None:
    assert SECRET.value.hex() not in repr(SECRET)
    assert repr(SECRET.value) not in repr(SECRET)


def test_the_tree_key_and_the_deny_key_differ() -> None:
    assert len({SECRET.value, SECRET.tree_key, SECRET.deny_key}) == 3
