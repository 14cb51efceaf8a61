from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, UnsupportedError
from dataver.formats.recipe import (
    MAX_CHUNK,
    MIN_CHUNK,
    Recipe,
    cut_chunks,
    cut_stream,
    decode_recipe,
    encode_recipe,
)
from tests.formats import samples
from tests.formats.samples import oid
from tests.formats.strategies import recipes
from tests.formats.stream import stream

GOOD = encode_recipe(samples.RECIPE)
DATA = stream(12 << 20)


@given(recipes())
def test_a_recipe_comes_back_as_it_was(recipe: Recipe) -> None:
    assert decode_recipe(encode_recipe(recipe), recipe.size) == recipe


@given(recipes(), st.data())
def test_a_changed_byte_is_refused_or_another_recipe(recipe: Recipe, data: st.DataObject) -> None:
    good = bytearray(encode_recipe(recipe))
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))

    try:
        found = decode_recipe(bytes(good))
    except DataverError:
        return
    assert found != recipe
    assert encode_recipe(found) == good


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(0, ()),
        Recipe(5, ((oid(b"1"), 4),)),
        Recipe(0, ((oid(b"1"), 0),)),
        Recipe(MAX_CHUNK + 1, ((oid(b"1"), MAX_CHUNK + 1),)),
        Recipe(2, ((oid(b"1"), 1), (oid(b"1", 2), 1))),
    ],
    ids=["no chunks", "another sum", "an empty chunk", "a chunk too large", "two algorithms"],
)
def test_a_recipe_that_breaks_a_limit_is_not_written(recipe: Recipe) -> None:
    with pytest.raises(FormatError):
        encode_recipe(recipe)


def test_a_recipe_of_another_size_than_the_tree_says_is_refused() -> None:
    with pytest.raises(FormatError, match="the tree says"):
        decode_recipe(GOOD, samples.RECIPE.size + 1)


def test_a_recipe_that_claims_more_chunks_than_it_has_is_refused() -> None:
    with pytest.raises(FormatError, match="do not fit"):
        decode_recipe(GOOD[:20] + b"\x00\xff\xff\xff" + GOOD[24:])


def test_a_later_version_asks_for_an_upgrade() -> None:
    with pytest.raises(UnsupportedError):
        decode_recipe(GOOD[:8] + b"\x00\x02" + GOOD[10:])


def test_the_recipe_of_a_hundred_gigabytes_is_small() -> None:
    chunks = tuple((oid(b"%d" % n), 1_000_000) for n in range(100_000))

    assert len(encode_recipe(Recipe(100_000_000_000, chunks))) < 4_000_000


def test_chunks_follow_each_other_without_a_gap() -> None:
    ends = 0
    for offset, length in cut_chunks(DATA):
        assert offset == ends
        ends += length

    assert ends == len(DATA)


def test_every_chunk_but_the_last_is_within_the_limits() -> None:
    lengths = [length for _, length in cut_chunks(DATA)]

    assert all(MIN_CHUNK <= length <= MAX_CHUNK for length in lengths[:-1])


def test_bytes_that_never_cut_are_cut_at_the_limit() -> None:
    lengths = [length for _, length in cut_chunks(bytes(9 << 20))]

    assert lengths == [MAX_CHUNK, MAX_CHUNK, 1 << 20]


def test_a_stream_is_cut_where_the_whole_is() -> None:
    found = [(offset, len(data)) for offset, data in cut_stream(io.BytesIO(DATA))]

    assert found == list(cut_chunks(DATA))


def test_a_stream_that_gives_little_at_a_time_is_cut_where_the_whole_is() -> None:
    class Slow(io.BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            return super().readinto(buffer[:99_991])

    found = [(offset, len(data)) for offset, data in cut_stream(Slow(DATA))]

    assert found == list(cut_chunks(DATA))


def test_an_empty_blob_has_no_chunks() -> None:
    assert list(cut_chunks(b"")) == []


def test_a_change_in_the_middle_leaves_the_other_chunks_as_they_were() -> None:
    middle = len(DATA) // 2
    changed = DATA[:middle] + b"inserted" + DATA[middle:]

    before = {DATA[at : at + length] for at, length in cut_chunks(DATA)}
    after = [changed[at : at + length] for at, length in cut_chunks(changed)]

    assert sum(len(chunk) for chunk in after if chunk not in before) <= 2 * MAX_CHUNK
