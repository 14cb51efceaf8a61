"""The live segments searched as one: in few bytes where little is asked, whole where much is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from dataver.disk.disk import Disk
from dataver.errors import FormatError, MissingObjectError
from dataver.formats import layout, segment
from dataver.formats.pack import Row
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import blake3_of
from dataver.model.names import ObjectName, blob_name, chunk_name, oid_of_digest
from dataver.store.compaction import level_of, plan_merge, rewrite, write_segment
from dataver.store.local import LocalCopies
from dataver.store.memory import MemoryBucket
from dataver.store.segments import Segments
from tests.store import samples
from tests.store.faults import Faulty


def many(count: int, tag: str = "s") -> list[ObjectName]:
    return [blob_name(oid_of_digest(1, blake3_of(f"{tag}{n}".encode()))) for n in range(count)]


def stored(bucket: Faulty, names: Sequence[ObjectName], pack: int = 1) -> SegmentRef:
    """Write a segment in which *names* lie in one pack, in their order, a byte each."""
    rows = [
        segment.with_ordinal(segment.bare_rows(samples.table((name, 0, 8 + at, 1, 1))), 0)[0]
        for at, name in enumerate(names)
    ]
    other = Segments(bucket.inner, LocalCopies(None, Disk()))
    refs = (PackRef(samples.id_of(pack), 10**9),)
    return write_segment(bucket.inner, other, refs, sorted(rows))


@pytest.fixture
def bucket() -> Faulty:
    return Faulty(MemoryBucket())


def opened(bucket: Faulty, *refs: SegmentRef, local: LocalCopies | None = None) -> Segments:
    found = Segments(bucket, local or LocalCopies(None, Disk()))
    found.set_live(refs)
    return found


def test_a_name_is_found_where_it_lies(bucket: Faulty) -> None:
    names = many(100)
    segments = opened(bucket, stored(bucket, names))

    found = segments.find(names[40:42])

    assert {name: place.offset for name, place in found.items()} == {names[40]: 48, names[41]: 49}


def test_what_no_segment_holds_is_not_found(bucket: Faulty) -> None:
    segments = opened(bucket, stored(bucket, many(100)))

    assert segments.find(many(3, "other")) == {}
    assert segments.absent(many(3, "other"))[0] == many(3, "other")


def test_few_names_of_a_large_segment_cost_few_bytes(bucket: Faulty) -> None:
    names = many(20_000)
    segments = opened(bucket, stored(bucket, names))
    read: list[int] = []
    bucket.get = _measured(bucket, read)  # type: ignore[method-assign]

    found = segments.find([names[7], names[19_000], *many(2, "absent")])

    assert {place.offset for place in found.values()} == {15, 19_008}
    assert sum(read) < 200_000
    assert len(bucket.log) < 16


def _measured(bucket: Faulty, read: list[int]):  # type: ignore[no-untyped-def]
    def get(key: str, start: int = 0, size: int | None = None) -> bytes:
        bucket.log.append(("get", key))
        data = bucket.inner.get(key, start, size)
        read.append(len(data))
        return data

    return get


@pytest.mark.parametrize("count", [1, 5, 50, 2000])
def test_every_name_is_found_by_ranged_reads(bucket: Faulty, count: int) -> None:
    names = [*many(5000, "a"), *(chunk_name(oid_of_digest(1, blake3_of(bytes([n])))) for n in range(20))]
    segments = opened(bucket, stored(bucket, names))
    asked = random.Random(count).sample(names, min(count, 45))

    found = segments.find(asked)

    assert {name: place.offset - 8 for name, place in found.items()} == {n: names.index(n) for n in asked}


def test_a_whole_segment_is_read_once_and_kept(bucket: Faulty) -> None:
    names = many(6000)
    ref = stored(bucket, names)
    local = LocalCopies(None, Disk())
    opened(bucket, ref, local=local).absent(names[:3000])
    bucket.log.clear()

    again = opened(bucket, ref, local=local)

    assert again.absent(names)[0] == []
    assert len(again.find(names)) == 6000
    assert bucket.log == []


@pytest.mark.parametrize("damage", [b"", b"x" * 100])
def test_a_damaged_copy_is_read_anew(bucket: Faulty, damage: bytes) -> None:
    names = many(10)
    ref = stored(bucket, names)
    local = LocalCopies(None, Disk())
    local.write(f"segment-{ref.segment_id.hex()}", [damage])

    assert len(opened(bucket, ref, local=local).find(names)) == 10


def test_an_altered_segment_is_refused(bucket: Faulty) -> None:
    names = many(10)
    ref = stored(bucket, names)
    bucket.altered = lambda _, data: data[:-1] + bytes((data[-1] ^ 1,))

    with pytest.raises(FormatError):
        opened(bucket, ref).find(names)


def test_a_segment_that_is_gone_is_named(bucket: Faulty) -> None:
    names = many(10)
    ref = stored(bucket, names)
    bucket.inner.delete([layout.segment_key(ref.segment_id)])

    with pytest.raises(MissingObjectError, match=ref.segment_id.hex()[:12]):
        opened(bucket, ref).find(names)


@pytest.mark.parametrize("count", [40, 6000])
def test_a_name_in_two_packs_is_found_in_the_one_that_counts(bucket: Faulty, count: int) -> None:
    names = many(count)
    first, second = stored(bucket, names, pack=1), stored(bucket, names, pack=2)
    segments = opened(bucket, first, second)
    both = rewrite(bucket.inner, segments, [first, second], without=frozenset())
    assert both is not None
    merged = opened(bucket, both)
    asked = names[: 30 if count > 5000 else count]

    for lost in (1, 2):
        places = merged.find(asked, {samples.id_of(lost)})
        assert {place.pack_id for place in places.values()} == {samples.id_of(3 - lost)}
        assert len(places) == len(asked)
    assert merged.find(asked, {samples.id_of(1), samples.id_of(2)}) == {}
    assert merged.absent(names, {samples.id_of(1), samples.id_of(2)})[0] == names
    assert both.rows == 2 * count


def test_absent_keeps_order_and_repetitions_and_names_the_packs_of_the_rest(bucket: Faulty) -> None:
    names, other = many(50), many(3, "other")
    segments = opened(bucket, stored(bucket, names))

    absent, used = segments.absent([other[1], names[0], other[0], other[1], names[0]])

    assert absent == [other[1], other[0], other[1]]
    assert used == {samples.id_of(1): 10**9}


def test_a_search_by_vectors_finds_what_the_others_find(bucket: Faulty) -> None:
    names, other = many(60_000), many(1000, "other")
    segments = opened(bucket, stored(bucket, names))
    asked = [*names[100:], *other]

    absent, used = segments.absent(asked)
    places = segments.find(asked)

    assert absent == other
    assert used == {samples.id_of(1): 10**9}
    assert [places[name].offset for name in names[100:]] == list(range(108, 60_008))


def test_prefixes_that_collide_are_told_apart_by_vectors(bucket: Faulty) -> None:
    twins = [blob_name(oid_of_digest(1, bytes(8) + bytes([n]) * 24)) for n in range(5)]
    names = [*many(60_000), *twins[:3]]
    segments = opened(bucket, stored(bucket, names))

    absent, _ = segments.absent([*names, *twins])

    assert absent == twins[3:]


def test_copies_of_segments_that_are_not_live_are_dropped(bucket: Faulty) -> None:
    local = LocalCopies(None, Disk())
    first, second = stored(bucket, many(10, "a")), stored(bucket, many(10, "b"))
    segments = opened(bucket, first, second, local=local)
    segments.find([*many(10, "a"), *many(10, "b")])

    segments.set_live([second])
    segments.sweep()

    assert local.names("segment-") == [f"segment-{second.segment_id.hex()}"]


def test_levels_are_eightfold_and_only_a_full_one_is_merged() -> None:
    refs = [SegmentRef(samples.id_of(n), 1, 10) for n in range(8)]
    large = [SegmentRef(samples.id_of(100 + n), 1, 50_000) for n in range(9)]

    assert [level_of(rows) for rows in (1, 4096, 4097, 32_768, 32_769)] == [0, 0, 1, 1, 2]
    assert plan_merge(refs) == ()
    assert plan_merge([*refs, *large[:2], SegmentRef(samples.id_of(8), 1, 10)]) == (
        *refs,
        SegmentRef(samples.id_of(8), 1, 10),
    )
    assert plan_merge([*refs, *large]) == tuple(large)


def test_a_table_of_a_pack_becomes_rows_with_its_ordinal() -> None:
    name = many(1)[0]
    table = samples.table((name, 1, 8, 20, 30))

    (row,) = segment.with_ordinal(segment.bare_rows(table), 3)

    assert row[:60] == bytes(table.rows_data)[:60]
    assert row[60:] == b"\x03\0\0\0"
    assert table.row(0) == Row(name, 1, 0, 8, 20, 30, 0)
