"""A remote as its users see it: what is there, what is missing, and what reading costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import (
    CorruptObjectError,
    DataverError,
    FormatError,
    MissingObjectError,
    NotARemoteError,
    UnsupportedError,
)
from dataver.formats import layout
from dataver.formats.keys import Secret
from dataver.model.names import StructureId, root_name
from dataver.store.bucket import Bucket
from dataver.store.folder import FolderBucket
from dataver.store.memory import MemoryBucket
from dataver.store.ranges import GAP
from dataver.store.remote import Remote, Surroundings
from tests.store.faults import Faulty, MovedClock
from tests.store.packs import Object, make_pack, names, objects


@pytest.fixture
def faulty() -> Faulty:
    return Faulty(MemoryBucket())


def around(folder: Path | None = None, clock: MovedClock | None = None) -> Surroundings:
    return Surroundings(Disk(), clock or MovedClock(), str(folder) if folder else None)


def made(bucket: Bucket, folder: Path | None = None) -> Remote:
    remote = Remote.create(bucket, around=around(folder))
    remote.refresh()
    return remote


def push(remote: Remote, *packs: list[Object], roots: tuple[bytes, ...] = ()) -> list[StructureId]:
    """Push packs of objects; return the packs' ids."""
    found = []
    with remote.begin("clone", "repo") as session:
        for contents in packs:
            data, table = make_pack(contents)
            session.add_pack(data, table, len(data))
            found.append(table.pack_id)
        session.commit(roots)
    return found


# -- opening ----------------------------------------------------------------------------------------


def test_what_one_clone_pushed_another_reads(bucket: Bucket) -> None:
    contents = objects(300)
    push(made(bucket), contents[:100], contents[100:])

    other = Remote.open(bucket)
    other.refresh()
    places = other.find(names(contents))
    data = other.read_ranges([(p.pack_id, p.offset, p.stored) for p in places.values()])

    assert dict(zip(places, data, strict=True)) == dict(contents)
    assert other.missing(names(contents)) == []


def test_a_place_that_is_no_remote_is_refused(bucket: Bucket) -> None:
    with pytest.raises(NotARemoteError):
        Remote.open(bucket)


def test_a_folder_that_is_not_there_is_never_made_by_opening(tmp_path: Path) -> None:
    with pytest.raises(DataverError) as caught:
        Remote.open(FolderBucket(str(tmp_path / "unmounted"), Disk()))

    assert caught.value.code == "bucket-not-found"
    assert list(tmp_path.iterdir()) == []


def test_another_remote_than_the_pinned_one_is_refused(bucket: Bucket) -> None:
    remote = made(bucket)

    assert Remote.open(bucket, expected_id=remote.remote_id).remote_id == remote.remote_id
    with pytest.raises(NotARemoteError):
        Remote.open(bucket, expected_id="f" * 32)


def test_making_a_remote_twice_gives_the_same_one(bucket: Bucket) -> None:
    first = made(bucket)
    push(first, objects(3))

    second = made(bucket)

    assert (second.remote_id, second.seen) == (first.remote_id, first.seen)


@pytest.mark.parametrize("text", [b"", b"garbage", b"x" * 10_000])
def test_a_damaged_description_is_refused(faulty: Faulty, text: bytes) -> None:
    faulty.inner.put(layout.DESCRIPTION_KEY, text)

    with pytest.raises((FormatError, UnsupportedError)):
        Remote.open(faulty)


def test_reading_never_writes(faulty: Faulty) -> None:
    contents = objects(50)
    push(made(faulty), contents, roots=(bytes(32),))
    reader = Remote.open(faulty, around=around())
    faulty.log.clear()

    reader.refresh(thoroughly=True)
    reader.missing(names(contents))
    reader.find(names(contents))
    reader.records()
    reader.secret()
    reader.roots()

    assert {operation for operation, _ in faulty.log} <= {"get", "head", "list"}


# -- truth ------------------------------------------------------------------------------------------


def test_a_pack_that_vanished_makes_its_objects_missing(faulty: Faulty) -> None:
    kept, lost = objects(20, "kept"), objects(20, "lost")
    remote = made(faulty)
    _, pack_id = push(remote, kept, lost)

    faulty.inner.delete([layout.pack_key(pack_id)])
    remote.refresh()

    assert remote.missing(names([*kept, *lost])) == names(lost)
    assert remote.lost_packs() == {pack_id}


@pytest.mark.parametrize("size", [0, 10])
def test_a_pack_that_shrank_makes_its_objects_missing(faulty: Faulty, size: int) -> None:
    contents = objects(20)
    remote = made(faulty)
    (pack_id,) = push(remote, contents)
    key = layout.pack_key(pack_id)

    faulty.inner.put(key, faulty.inner.get(key)[:size])
    remote.refresh()

    assert remote.missing(names(contents)) == names(contents)


def test_what_was_missing_and_pushed_again_is_there(faulty: Faulty) -> None:
    contents = objects(20)
    remote = made(faulty)
    (pack_id,) = push(remote, contents)
    faulty.inner.delete([layout.pack_key(pack_id)])
    remote.refresh()
    (again,) = push(remote, contents)

    fresh = Remote.open(faulty)
    fresh.refresh()

    assert fresh.missing(names(contents)) == []
    places = fresh.find(names(contents), without={pack_id})
    assert {place.pack_id for place in places.values()} == {again}


def test_a_stale_listing_makes_nothing_missing(faulty: Faulty) -> None:
    contents = [objects(5, f"pack {n}") for n in range(6)]
    remote = made(faulty)
    packs = push(remote, *contents)

    faulty.hidden = {layout.pack_key(packs[2])}
    remote.refresh()

    assert remote.missing([name for pack in contents for name in names(pack)]) == []


def test_many_packs_are_checked_by_one_listing_and_few_by_head(faulty: Faulty) -> None:
    contents = [objects(5, f"pack {n}") for n in range(12)]
    push(made(faulty), *contents)
    remote = Remote.open(faulty, around=around())
    remote.refresh()
    faulty.log.clear()
    faulty.page_size = 4

    remote.missing(names(contents[0]))
    few = [operation for operation, key in faulty.log if "packs/" in key]
    faulty.log.clear()
    remote.missing([name for pack in contents for name in names(pack)])
    many = [operation for operation, key in faulty.log if "packs/" in key]

    assert (few, many) == (["head"], ["list"])


def test_a_listing_is_good_for_an_hour_where_listing_is_dear(faulty: Faulty, tmp_path: Path) -> None:
    contents = [objects(5, f"pack {n}") for n in range(12)]
    every = [name for pack in contents for name in names(pack)]
    push(made(faulty), *contents)
    faulty.listing_good_s = 3600.0
    faulty.page_size = 4
    clock = MovedClock()

    def listings() -> int:
        faulty.log.clear()
        remote = Remote.open(faulty, around=around(tmp_path / "local", clock))
        remote.refresh()
        assert remote.missing(every) == []
        return sum(operation in ("list", "head") for operation, _ in faulty.log)

    first = listings()
    clock.now += 3500
    within = listings()
    clock.now += 200
    after = listings()

    assert (first, within, after) == (1, 0, 1)


def test_a_root_is_complete_when_it_is_live_and_no_pack_is_lost(faulty: Faulty) -> None:
    data = objects(10)
    root = root_name(bytes(31) + b"\1")
    remote = made(faulty)
    pack_id, _ = push(remote, data, [(root, b"root")])

    assert remote.complete_roots([root, root_name(bytes(32))]) == {root}
    faulty.inner.delete([layout.pack_key(pack_id)])
    remote.refresh()
    assert remote.complete_roots([root]) == set()


def test_nothing_new_costs_one_get_and_one_check(faulty: Faulty, tmp_path: Path) -> None:
    contents = [objects(5, f"pack {n}") for n in range(9)]
    root = root_name(bytes(31) + b"\1")
    first = made(faulty, tmp_path / "local")
    push(first, *contents, [(root, b"root")], roots=(root[2:],))
    faulty.log.clear()
    faulty.page_size = 1000

    remote = Remote.open(faulty, seen=first.seen, around=around(tmp_path / "local"))
    is_new = remote.refresh()
    complete = remote.complete_roots([root])

    assert (is_new, complete) == (False, {root})
    assert faulty.log == [
        ("get", layout.DESCRIPTION_KEY),
        ("get", layout.journal_key(2)),
        ("list", layout.PACKS_PREFIX),
    ]


# -- reading ------------------------------------------------------------------------------------------


def test_ranges_that_lie_near_each_other_are_read_together(faulty: Faulty) -> None:
    contents = [(name, bytes([n]) * GAP) for n, (name, _) in enumerate(objects(6))]
    remote = made(faulty)
    (pack_id,) = push(remote, contents)
    places = [remote.find([name])[name] for name, _ in contents]
    faulty.log.clear()
    wanted = [places[n] for n in (5, 0, 1, 3)]

    found = remote.read_ranges([(p.pack_id, p.offset, 10) for p in wanted])

    assert found == [bytes([n]) * 10 for n in (5, 0, 1, 3)]
    assert faulty.log == [("get", layout.pack_key(pack_id))] * 3


def test_a_range_of_a_lost_or_truncated_pack_is_an_error_among_the_others(faulty: Faulty) -> None:
    packs = [objects(3, "a"), objects(3, "b"), objects(3, "c")]
    remote = made(faulty)
    ids = push(remote, *packs)
    faulty.inner.delete([layout.pack_key(ids[0])])
    faulty.inner.put(layout.pack_key(ids[1]), b"short")

    found = remote.read_ranges([(pack_id, 8, 3) for pack_id in ids])

    assert isinstance(found[0], MissingObjectError)
    assert isinstance(found[1], CorruptObjectError)
    assert found[2] == b"c 0"


def test_a_whole_pack_of_another_size_is_refused(faulty: Faulty) -> None:
    remote = made(faulty)
    (pack_id,) = push(remote, objects(3))
    size = remote.pack_sizes()[pack_id]

    assert len(remote.read_pack(pack_id, size)) == size
    for wrong in (size - 1, size + 1):
        with pytest.raises(CorruptObjectError):
            remote.read_pack(pack_id, wrong)
    with pytest.raises(MissingObjectError):
        remote.read_pack(StructureId(bytes(32)), 10)


# -- beside the objects -------------------------------------------------------------------------------


def test_the_first_secret_stays(bucket: Bucket) -> None:
    remote = made(bucket)

    first, second = Secret(b"a" * 32), Secret(b"b" * 32)

    assert remote.secret() is None
    assert remote.put_secret_if_absent(first) == first
    assert remote.put_secret_if_absent(second) == first
    assert remote.secret() == first


def test_a_clone_registers_itself_and_a_reader_no_repository(faulty: Faulty) -> None:
    remote = made(faulty)

    remote.register("repo", "reader")
    assert faulty.keys("clients/") == ["clients/reader"]
    assert faulty.keys("repos/") == []
    remote.register("repo", "writer", is_writer=True)
    assert faulty.keys("repos/") == ["repos/repo"]


def test_a_clone_without_permission_to_register_is_silent(faulty: Faulty) -> None:
    remote = made(faulty)

    def denied(operation: str, key: str) -> None:
        from dataver.errors import AccessDeniedError

        raise AccessDeniedError(operation, key)

    faulty.before = denied

    remote.register("repo", "reader")


def test_roots_named_within_a_day_need_no_new_entry(faulty: Faulty) -> None:
    clock = MovedClock()
    remote = Remote.create(faulty, around=around(clock=clock))
    remote.refresh()
    clock.now = faulty.inner.head(layout.DESCRIPTION_KEY).modified_s  # type: ignore[union-attr]
    push(remote, objects(1), roots=(b"r" * 32,))

    lately = remote.are_named_lately([b"r" * 32], "repo")
    others = (remote.are_named_lately([b"q" * 32], "repo"), remote.are_named_lately([b"r" * 32], "other"))
    clock.now += 90_000

    assert lately
    assert others == (False, False)
    assert not remote.are_named_lately([b"r" * 32], "repo")
