"""Look-ups by name: bisection, dictionary and vectors give the same answers."""

from __future__ import annotations

import random

import pytest

from dataver.hashing import BLAKE3
from dataver.model.names import ObjectName, blob_name, oid_of_digest
from dataver.store import lookup
from dataver.store.lookup import FEW, Lookup, distinct

ROW_SIZE = 40


def _names(count: int, seed: int) -> list[ObjectName]:
    choice = random.Random(seed)
    return [blob_name(oid_of_digest(BLAKE3, choice.randbytes(32))) for _ in range(count)]


def _table(names: list[ObjectName]) -> bytes:
    return b"".join(name.ljust(ROW_SIZE, b"!") for name in sorted(names))


@pytest.mark.parametrize("way", ["bisect", "dictionary", "vectors"])
def test_every_way_finds_the_same(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "FEW", 10**6 if way == "bisect" else 0)
    monkeypatch.setattr(lookup, "DICTIONARY_ROWS", 0 if way == "vectors" else 10**6)
    first, second, absent = _names(50, 1), _names(70, 2), _names(30, 3)
    both = [*second, first[0]]
    found = Lookup([_table(first), _table(both)], ROW_SIZE)
    asked = [*first, *second, *absent]

    many = found.find_many(asked)

    expected = [(0, sorted(first).index(n)) for n in first] + [(1, sorted(both).index(n)) for n in second]
    assert many == [*expected, *[None] * 30]
    assert [found.find(n) for n in asked] == many


def test_names_that_share_their_first_bytes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "FEW", 0)
    monkeypatch.setattr(lookup, "DICTIONARY_ROWS", 0)
    names = [blob_name(oid_of_digest(BLAKE3, bytes(31) + bytes((n,)))) for n in range(20)]
    found = Lookup([_table(names)], ROW_SIZE)

    assert [found.find(n) for n in names] == [(0, n) for n in range(20)]


def test_nothing_is_found_in_no_tables() -> None:
    found = Lookup([], ROW_SIZE)

    assert found.find_many(_names(FEW + 1, 1)) == [None] * (FEW + 1)
    assert found.rows == 0


def test_distinct_keeps_the_order() -> None:
    first, second = _names(2, 1)

    assert distinct([second, first, second]) == [second, first]
