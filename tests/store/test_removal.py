"""Removals: their order, what they name, what they do when others were quicker, and what stays."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import pytest

from dataver.disk.disk import Disk
from dataver.errors import AccessDeniedError, OfflineError
from dataver.formats import layout, segment
from dataver.formats.commit import Commit, decode_commit
from dataver.formats.journal import decode_entry
from dataver.formats.segment import PackRef, SegmentRef
from dataver.model.names import ObjectName, StructureId, root_name
from dataver.store.deleting import Doomed
from dataver.store.leases import DEAD_S, Lease, oldest_beginning_s
from dataver.store.marks import Marks
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote, Surroundings
from dataver.store.removal import Entries, Going, LostRaceError
from tests.store.faults import Faulty, MovedClock
from tests.store.packs import Object, make_pack, names, objects

ROOT: Object = (root_name(b"r" * 32), b"root")


@pytest.fixture
def bucket() -> Faulty:
    return Faulty(MemoryBucket())


def opened(bucket: Faulty) -> Remote:
    remote = Remote.create(bucket, around=Surroundings(Disk(), Now(), None))
    remote.refresh()
    return remote


class Now(MovedClock):
    """A clock that agrees with the bucket's."""

    def __init__(self) -> None:
        import time

        super().__init__(time.time())


def push(bucket: Faulty, *packs: list[Object]) -> list[tuple[StructureId, int]]:
    """Push *packs*; return their ids and sizes."""
    pushed = []
    with opened(bucket).begin("clone", "repo") as session:
        for contents in packs:
            data, table = make_pack(contents)
            session.add_pack(data, table, len(data))
            pushed.append((table.pack_id, len(data)))
        session.commit([b"r" * 32])
    return pushed


def remove(
    bucket: Faulty, going: Going, *copied: list[Object], holds: Callable[[Entries], bool] = lambda _: True
) -> int:
    remote = opened(bucket)
    with remote.begin_removal("gc", "repo") as removal:
        for contents in copied:
            removal.add_pack(*make_pack(contents))
        seq = removal.commit(going, remote.seen.seq, holds)
        assert removal.delete(going.leftovers) == []
    return seq


def commit_of(bucket: Faulty, seq: int) -> Commit:
    return decode_commit(decode_entry(bucket.inner.get(layout.journal_key(seq)), seq).body)


def missing(bucket: Faulty, wanted: list[Object]) -> list[ObjectName]:
    return opened(bucket).missing(names(wanted))


# -- order -------------------------------------------------------------------------------------------


def test_new_packs_then_segments_then_the_entry_then_the_deletes_and_the_lease_last(bucket: Faulty) -> None:
    kept, dead = objects(3, "kept"), objects(3, "dead")
    (pack,) = push(bucket, [*kept, *dead])
    bucket.log.clear()

    remove(bucket, Going(dict([pack])), kept)

    writes = [f"{op} {key.partition('/')[0]}" for op, key in bucket.log if op in ("put", "put_new", "delete")]
    assert writes == [
        "put_new dataver.toml", "put leases", "put packs", "put segments", "put_new journal", "put journal",
        "delete packs", "delete segments", "delete leases",
    ]  # fmt: skip


def test_the_entry_names_every_pack_and_segment_that_goes(bucket: Faulty) -> None:
    (pack,) = push(bucket, objects(3))
    (live,) = opened(bucket).live_segments()
    going = Going({**dict([pack]), StructureId(b"o" * 32): 5}, {StructureId(b"s" * 32): 7})

    seq = remove(bucket, going)

    said = commit_of(bucket, seq)
    assert set(said.packs_removed) == {pack[0], b"o" * 32}
    assert set(said.segments_removed) == {live.segment_id, b"s" * 32}
    assert opened(bucket).live_segments() == ()
    assert [*bucket.keys("packs/"), *bucket.keys("segments/")] == []


def test_a_body_too_long_for_an_entry_lies_beside_it(bucket: Faulty) -> None:
    push(bucket, objects(3))
    orphans = {StructureId(os.urandom(32)): 1 for _ in range(1000)}

    seq = remove(bucket, Going(orphans))

    assert len(bucket.keys("records/")) == 1
    assert opened(bucket).seen.seq == seq


def test_other_packs_of_the_segment_stay_listed(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    _, dead = push(bucket, kept, objects(3, "dead"))

    remove(bucket, Going(dict([dead])))

    assert missing(bucket, kept) == []


def test_a_root_that_lost_parts_is_listed_no_more_though_its_pack_stays(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    _, dead = push(bucket, [*kept, ROOT], objects(3, "dead"))

    remove(bucket, Going(dict([dead]), roots=frozenset((ROOT[0],))))

    assert opened(bucket).complete_roots([ROOT[0]]) == set()
    assert missing(bucket, kept) == []


# -- others ------------------------------------------------------------------------------------------


def quicker(bucket: Faulty, act: Callable[[], object]) -> None:
    """Let *act* happen just before the next entry is written."""

    def before(operation: str, key: str) -> None:
        if operation == "put_new" and key.startswith("journal/"):
            bucket.before = lambda operation, key: None
            act()

    bucket.before = before


def test_a_push_that_changes_nothing_of_it_is_taken_into_account(bucket: Faulty) -> None:
    ours, theirs = objects(3), objects(3, "theirs")
    (pack,) = push(bucket, ours)
    quicker(bucket, lambda: push(bucket, theirs))
    told: list[int] = []

    def holds(entries: Entries) -> bool:
        told.append(len(entries))
        return True

    seq = remove(bucket, Going(dict([pack])), holds=holds)

    assert seq == 3
    assert sum(told) == 1
    assert missing(bucket, [*ours, *theirs]) == names(ours)


def test_a_push_that_needs_what_goes_stops_it(bucket: Faulty) -> None:
    (pack,) = push(bucket, objects(3))
    quicker(bucket, lambda: push(bucket, objects(3, "theirs")))

    with pytest.raises(LostRaceError):
        remove(bucket, Going(dict([pack])), holds=lambda _: False)

    assert missing(bucket, objects(3)) == []


def test_entries_that_were_read_while_it_was_planned_count(bucket: Faulty) -> None:
    (pack,) = push(bucket, objects(3))
    remote = opened(bucket)
    with remote.begin_removal("gc", "repo") as removal:
        planned_at = remote.seen.seq
        push(bucket, objects(3, "theirs"))
        remote.refresh()

        with pytest.raises(LostRaceError):
            removal.commit(Going(dict([pack])), planned_at, lambda _: False)

    assert missing(bucket, objects(3)) == []


def test_an_orphan_that_a_resumed_push_lists_stays(bucket: Faulty) -> None:
    contents = objects(3)
    data, table = make_pack(contents)
    bucket.put(layout.pack_key(table.pack_id), data)

    def list_it() -> None:
        with opened(bucket).begin("clone", "repo") as session:
            session.added(table, len(data))
            session.commit([])

    quicker(bucket, list_it)
    with pytest.raises(LostRaceError):
        remove(bucket, Going({table.pack_id: len(data)}))

    assert missing(bucket, contents) == []


def test_segments_of_a_plan_that_came_to_nothing_go_with_the_next(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    _, dead = push(bucket, kept, objects(3, "dead"))
    remote = opened(bucket)
    with remote.begin_removal("gc", "repo") as removal:
        quicker(bucket, lambda: push(bucket, objects(3, "theirs")))
        with pytest.raises(LostRaceError):
            removal.commit(Going(dict([dead])), remote.seen.seq, lambda _: False)
        removal.commit(Going(dict([dead])), remote.seen.seq, lambda _: False)
        removal.delete()

    assert len(bucket.keys("segments/")) == len(opened(bucket).live_segments())
    assert missing(bucket, kept) == []


def test_copies_that_somebody_removed_are_not_listed(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    (pack,) = push(bucket, [*kept, *objects(3, "dead")])
    remote = opened(bucket)
    with remote.begin_removal("gc", "repo") as removal:
        data, table = make_pack(kept)
        removal.add_pack(data, table)
        planned_at = remote.seen.seq
        remove(bucket, Going({table.pack_id: len(data)}))

        with pytest.raises(LostRaceError):
            removal.commit(Going(dict([pack])), planned_at, lambda _: True)

        assert removal.copied == frozenset()
    assert missing(bucket, kept) == []


def test_copies_that_somebody_removed_before_the_last_plan_are_not_listed(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    (pack,) = push(bucket, [*kept, *objects(3, "dead")])
    remote = opened(bucket)
    with remote.begin_removal("gc", "repo") as removal:
        data, table = make_pack(kept)
        removal.add_pack(data, table)
        remove(bucket, Going({table.pack_id: len(data)}))
        remote.refresh()

        with pytest.raises(LostRaceError):
            removal.commit(Going(dict([pack])), remote.seen.seq, lambda _: True)

    assert missing(bucket, kept) == []


def test_a_reader_finds_an_object_after_its_segment_was_removed(bucket: Faulty) -> None:
    kept = objects(3, "kept")
    pack, _ = push(bucket, kept, objects(3, "dead"))
    reader = opened(bucket)

    remove(bucket, Going(dict([pack])), kept)

    assert set(reader.find(names(kept))) == set(names(kept))


# -- deleting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [(AccessDeniedError("delete", "x"), "access-denied"), (OfflineError("x", "y"), "offline")],
)
def test_what_cannot_be_deleted_is_one_failure_that_says_how_much(
    bucket: Faulty, error: Exception, code: str
) -> None:
    bucket.put("packs/aa/x", b"12345")
    bucket.put("packs/bb/y", b"12345")
    doomed = [Doomed("packs/aa/x", 5), Doomed("packs/bb/y", 5), Doomed("packs/cc/gone", 5)]

    with opened(bucket).begin_removal("gc", "repo") as removal:

        def refuse(operation: str, key: str) -> None:
            if operation == "delete" or (operation == "head" and isinstance(error, OfflineError)):
                raise error

        bucket.before = refuse
        (failure,) = removal.delete(doomed)
        bucket.before = lambda operation, key: None

    assert failure.code == code
    assert failure.exit_status == 4
    assert "packs/aa/x" in failure.message


# -- leases ------------------------------------------------------------------------------------------


def test_a_lease_says_when_its_writer_began_however_often_it_was_renewed() -> None:
    clock = Now()
    inner = MemoryBucket()
    lease = Lease(inner, clock, "clone")
    began = inner.head(layout.lease_key(lease.writer)).modified_s  # type: ignore[union-attr]
    clock.now += 3000
    lease.renew()
    renewed = inner.head(layout.lease_key(lease.writer)).modified_s  # type: ignore[union-attr]

    oldest = oldest_beginning_s(inner, renewed + 1)

    assert renewed - 3003 <= oldest <= began


def test_a_lease_that_does_not_say_when_it_began_holds_everything_back() -> None:
    inner = MemoryBucket()
    inner.put("leases/old-release", b"old-release")
    now = inner.head("leases/old-release").modified_s  # type: ignore[union-attr]

    assert oldest_beginning_s(inner, now) == -math.inf
    assert oldest_beginning_s(inner, now + DEAD_S + 1) == now + DEAD_S + 1
    assert oldest_beginning_s(inner, now, but="old-release") == now


# -- marks -------------------------------------------------------------------------------------------


def marks_of(bucket: Faulty) -> Marks:
    remote = opened(bucket)
    return Marks([remote.rows_of(ref) for ref in remote.live_segments()])


def test_every_copy_of_a_needed_object_is_needed(bucket: Faulty) -> None:
    contents = objects(5)
    (first,) = push(bucket, contents)
    (second,) = push(bucket, contents[:2])
    marks = marks_of(bucket)

    unlisted, news = marks.mark([*names(contents[:2]), ROOT[0]])

    uses = marks.uses()
    assert (unlisted, news) == ([ROOT[0]], 4)
    assert (uses[first[0]].live, uses[first[0]].dead) == (2, 3)
    assert uses[second[0]].dead_size == 0
    assert len(marks.places(names(contents[:2]))) == 4
    assert marks.is_needed(names(contents)) == [True, True, False, False, False]


def test_what_no_segment_lists_of_a_pack_counts_as_dead(bucket: Faulty) -> None:
    contents = objects(5)
    (pack,) = push(bucket, [*contents, ROOT])
    remove(bucket, Going({StructureId(b"o" * 32): 1}, roots=frozenset((ROOT[0],))))
    marks = marks_of(bucket)

    marks.mark(names(contents))

    assert marks.uses()[pack[0]].dead_size == len(ROOT[1]) + 68


def test_rows_of_one_object_in_hundreds_of_packs_can_be_merged() -> None:
    contents = objects(2)
    data, table = make_pack(contents)
    packs = [PackRef(StructureId(number.to_bytes(32, "big")), len(data)) for number in range(600)]
    rows = sorted(
        row for number in range(600) for row in segment.with_ordinal(segment.bare_rows(table), number)
    )
    shifted = segment.remapped(b"".join(rows), {old: old - 1 for old in range(1, 600)})

    merged = segment.encode_segment(bytes(16), packs[:-1], segment.merged([shifted]))

    ref = SegmentRef(segment.segment_id(merged), 599, 599 * 2)
    segment.check_rows(*segment.decode_segment(merged, ref))
