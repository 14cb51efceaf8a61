"""Pushes: the order of what they write, what a broken one leaves, and several at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dataver.disk.disk import Clock, Disk
from dataver.errors import LockTimeoutError, OfflineError, RemoteStateError
from dataver.formats import layout
from dataver.formats.commit import Commit, encode_commit
from dataver.model.names import ObjectName
from dataver.store.bucket import Bucket
from dataver.store.folder import FolderBucket
from dataver.store.leases import DEAD_S, Lease, live_leases
from dataver.store.memory import MemoryBucket
from dataver.store.push import SEGMENT_PACKS, Overtaken, Push
from dataver.store.remote import Remote, Surroundings
from tests.store.faults import Faulty, MovedClock, once
from tests.store.packs import Object, make_pack, names, objects


@pytest.fixture
def bucket() -> Faulty:
    return Faulty(MemoryBucket())


def opened(bucket: Bucket, folder: Path | None = None, clock: Clock | None = None) -> Remote:
    """Return the remote in *bucket*, made where there is none, as one clone sees it."""
    around = Surroundings(Disk(), clock or MovedClock(), str(folder) if folder else None)
    remote = Remote.create(bucket, around=around)
    remote.refresh()
    return remote


def add(session: Push, contents: list[Object]) -> None:
    data, table = make_pack(contents)
    session.add_pack(data, table, len(data))


def push(remote: Remote, contents: list[Object], roots: tuple[bytes, ...] = ()) -> int:
    with remote.begin("clone", "repo") as session:
        add(session, contents)
        return session.commit(roots)


def missing(bucket: Bucket, wanted: list[ObjectName]) -> list[ObjectName]:
    """Return what a fresh clone finds missing."""
    remote = Remote.open(bucket)
    remote.refresh()
    return remote.missing(wanted)


def remove_packs(bucket: Bucket, *packs: bytes) -> None:
    """Write the entry that a gc writes, and delete: every segment goes with it."""
    gc = opened(bucket)
    with gc.begin("gc", "repo") as session:
        live = tuple(sorted(ref.segment_id for ref in gc.live_segments()))
        body = Commit(segments_removed=live, packs_removed=tuple(sorted(packs)))  # type: ignore[arg-type]
        session._parts.journal.append(
            _gc_draft(body), time_s=1_760_000_000, overtaken=lambda _: _gc_draft(body)
        )
    bucket.delete([layout.pack_key(pack) for pack in packs])


def _gc_draft(body: Commit):  # type: ignore[no-untyped-def]
    from dataver.store.journal import Draft

    return Draft("commit", "gc", "a" * 32, "repo", encode_commit(body))


# -- order --------------------------------------------------------------------------------------------


def test_lease_packs_segment_entry_and_the_lease_goes_last(bucket: Faulty) -> None:
    remote = opened(bucket)
    bucket.log.clear()

    push(remote, objects(3), roots=(bytes(32),))

    writes = [key.partition("/")[0] for op, key in bucket.log if op in ("put", "put_new", "delete")]
    assert writes == ["leases", "packs", "segments", "journal", "journal", "leases"]
    assert bucket.keys("leases/") == []


def test_a_push_costs_few_requests_beside_its_packs(bucket: Faulty) -> None:
    remote = opened(bucket)
    bucket.log.clear()

    with remote.begin("clone", "repo") as session:
        for number in range(20):
            add(session, objects(5, f"pack {number}"))
        session.commit([bytes(32)])

    assert len(bucket.log) <= 20 + 12


def test_a_push_that_sends_nothing_names_its_roots(bucket: Faulty) -> None:
    remote = opened(bucket)

    with remote.begin("clone", "repo") as session:
        seq = session.commit([b"r" * 32])

    assert seq == 1
    assert set(remote.roots()) == {b"r" * 32}
    assert bucket.keys("segments/") == []


def test_entries_are_dated_by_the_stores_clock(bucket: Faulty) -> None:
    remote = opened(bucket, clock=MovedClock(1000.0))

    push(remote, objects(1), roots=(b"r" * 32,))

    assert remote.roots()[b"r" * 32].time_s > 1_700_000_000  # type: ignore[index]


def test_a_segment_is_written_every_64_packs_and_every_minute(bucket: Faulty) -> None:
    clock = MovedClock()
    remote = opened(bucket, clock=clock)

    with remote.begin("clone", "repo") as session:
        for number in range(SEGMENT_PACKS):
            add(session, objects(1, f"pack {number}"))
        after_64 = len(bucket.keys("segments/"))
        add(session, objects(1, "slow 1"))
        clock.now += 61
        add(session, objects(1, "slow 2"))
        after_a_minute = len(bucket.keys("segments/"))
        session.commit([])

    assert (after_64, after_a_minute) == (1, 2)
    assert len(remote.live_segments()) == 2


# -- resuming -----------------------------------------------------------------------------------------


def broken_push(remote: Remote, contents: list[Object]) -> None:
    """Store *contents* in a pack, then fail."""
    with pytest.raises(OfflineError), remote.begin("clone", "repo") as session:
        add(session, contents)
        raise OfflineError("test", "gone")


def test_nothing_of_a_broken_push_is_live(bucket: Faulty, tmp_path: Path) -> None:
    contents = objects(10)

    broken_push(opened(bucket, tmp_path / "local"), contents)

    assert missing(bucket, names(contents)) == names(contents)
    assert bucket.keys("leases/") == []


def test_the_next_push_sends_again_only_what_no_segment_lists(bucket: Faulty, tmp_path: Path) -> None:
    contents = objects(10)
    broken_push(opened(bucket, tmp_path / "local"), contents[:6])
    remote = opened(bucket, tmp_path / "local")

    with remote.begin("clone", "repo") as session:
        wanted = session.missing(names(contents))
        add(session, contents[6:])
        session.commit([])

    assert wanted == names(contents[6:])
    assert missing(bucket, names(contents)) == []
    again = opened(bucket, tmp_path / "local")
    with again.begin("clone", "repo") as session:
        assert session.resumed_objects == 0


def test_a_broken_push_whose_pack_is_gone_is_not_resumed(bucket: Faulty, tmp_path: Path) -> None:
    contents = objects(10)
    broken_push(opened(bucket, tmp_path / "local"), contents)
    bucket.inner.delete(bucket.keys("packs/"))

    with opened(bucket, tmp_path / "local").begin("clone", "repo") as session:
        assert session.missing(names(contents)) == names(contents)


def test_packs_that_a_gc_removed_are_not_resumed_even_while_they_lie_there(
    bucket: Faulty, tmp_path: Path
) -> None:
    contents = objects(10)
    broken_push(opened(bucket, tmp_path / "local"), contents)
    (key,) = bucket.keys("packs/")
    data = bucket.inner.get(key)
    pack_id = layout.pack_id_of_key(key)
    assert pack_id is not None
    remove_packs(bucket, pack_id)
    bucket.inner.put(key, data)

    with opened(bucket, tmp_path / "local").begin("clone", "repo") as session:
        assert session.missing(names(contents)) == names(contents)


def test_a_damaged_resume_file_costs_only_time(bucket: Faulty, tmp_path: Path) -> None:
    contents = objects(10)
    broken_push(opened(bucket, tmp_path / "local"), contents)
    (file,) = (tmp_path / "local").glob("*/push-*")
    file.write_bytes(b'{"seq":0,"segments":[["zz",1,1]]}')

    with opened(bucket, tmp_path / "local").begin("clone", "repo") as session:
        assert session.missing(names(contents)) == names(contents)


def test_copies_of_two_remotes_in_one_folder_do_not_meet(bucket: Faulty, tmp_path: Path) -> None:
    contents, other = objects(10), Faulty(MemoryBucket())
    broken_push(opened(bucket, tmp_path / "local"), contents)

    push(opened(other, tmp_path / "local"), objects(3, "other"))

    with opened(bucket, tmp_path / "local").begin("clone", "repo") as session:
        assert session.missing(names(contents)) == []


def test_an_interrupt_writes_nothing_more_than_the_end_of_the_lease(bucket: Faulty) -> None:
    remote = opened(bucket)

    with pytest.raises(KeyboardInterrupt), remote.begin("clone", "repo") as session:
        add(session, objects(3))
        bucket.log.clear()
        raise KeyboardInterrupt

    assert [operation for operation, _ in bucket.log] == ["delete"]


# -- several at once ------------------------------------------------------------------------------------


def test_two_pushers_at_once_both_succeed(bucket: Faulty) -> None:
    ours, theirs = objects(10, "ours"), objects(10, "theirs")
    first, second = opened(bucket), opened(bucket)

    with first.begin("one", "repo") as one, second.begin("two", "repo") as two:
        add(one, ours)
        add(two, theirs)
        numbers = (one.commit([b"1" * 32]), two.commit([b"2" * 32]))

    assert numbers == (1, 2)
    assert missing(bucket, names([*ours, *theirs])) == []


def test_a_push_whose_answer_is_lost_settles_itself(bucket: Faulty) -> None:
    contents = objects(10)
    remote = opened(bucket)
    bucket.after = once("put_new", "journal/")

    seq = push(remote, contents)

    assert seq == 1
    assert missing(bucket, names(contents)) == []
    assert len(bucket.keys("journal/0")) == 1


def test_a_push_of_which_a_pack_is_refused_names_no_version(bucket: Faulty) -> None:
    remote = opened(bucket)
    bucket.before = once("put", "packs/")

    with pytest.raises(OfflineError):
        push(remote, objects(10), (b"1" * 32,))

    assert bucket.keys("journal/0") == []


def test_a_push_that_a_gc_overtook_looks_again_and_sends_what_is_gone(bucket: Faulty) -> None:
    contents = objects(10)
    push(opened(bucket), contents)
    (key,) = bucket.keys("packs/")
    pack_id = layout.pack_id_of_key(key)
    assert pack_id is not None
    remote = opened(bucket)
    told: list[Overtaken] = []

    with remote.begin("clone", "repo") as session:
        assert session.missing(names(contents)) == []
        remove_packs(bucket, pack_id)

        def overtaken(by: Overtaken) -> None:
            told.append(by)
            gone = set(session.missing(names(contents)))
            add(session, [found for found in contents if found[0] in gone])

        session.commit([b"r" * 32], overtaken=overtaken)

    assert told == [Overtaken(frozenset((pack_id,)), False)]
    assert missing(bucket, names(contents)) == []


def test_a_push_that_cannot_look_again_stops(bucket: Faulty) -> None:
    push(opened(bucket), objects(3))
    (key,) = bucket.keys("packs/")
    pack_id = layout.pack_id_of_key(key)
    assert pack_id is not None

    with (
        pytest.raises(RemoteStateError, match="removed packs"),
        opened(bucket).begin("clone", "repo") as session,
    ):
        remove_packs(bucket, pack_id)
        session.commit([b"r" * 32])


def test_our_own_packs_that_were_removed_meanwhile_are_listed_in_no_segment(bucket: Faulty) -> None:
    contents = objects(10)
    remote = opened(bucket)

    with remote.begin("clone", "repo") as session:
        add(session, contents[:5])
        assert session.missing(names(contents)) == names(contents[5:])
        (key,) = bucket.keys("packs/")
        pack_id = layout.pack_id_of_key(key)
        assert pack_id is not None
        remove_packs(bucket, pack_id)

        def overtaken(_: Overtaken) -> None:
            gone = set(session.missing(names(contents)))
            add(session, [found for found in contents if found[0] in gone])

        session.commit([b"r" * 32], overtaken=overtaken)

    assert pack_id not in remote.pack_sizes()
    assert missing(bucket, names(contents)) == []


def test_segments_of_a_full_level_are_merged_and_nothing_is_lost(bucket: Faulty) -> None:
    remote = opened(bucket)
    contents = [objects(3, f"push {number}") for number in range(30)]

    for pushed in contents:
        push(remote, pushed)

    assert len(remote.live_segments()) <= 9
    assert missing(bucket, [name for pushed in contents for name in names(pushed)]) == []


def test_a_merge_that_somebody_else_made_is_not_made_twice(bucket: Faulty) -> None:
    remote, other = opened(bucket), opened(bucket)
    contents = [objects(3, f"push {number}") for number in range(11)]
    for pushed in contents[:9]:
        push(remote, pushed)

    with remote.begin("one", "repo") as one, other.begin("two", "repo") as two:
        add(one, contents[9])
        add(two, contents[10])
        two.commit([])
        one.commit([])

    every = [name for pushed in contents for name in names(pushed)]
    assert sum(ref.rows for ref in remote.live_segments()) == len(every)
    assert missing(bucket, every) == []


@pytest.mark.parametrize("where", ["memory", "folder"])
def test_eight_pushers_in_threads_all_succeed(where: str, tmp_path: Path) -> None:
    bucket: Bucket = MemoryBucket() if where == "memory" else FolderBucket(str(tmp_path / "r"), Disk())
    opened(bucket)
    contents = [objects(4, f"thread {number}") for number in range(8)]
    numbers: list[int] = []

    def run(number: int) -> None:
        numbers.append(push(opened(bucket, clock=Clock()), contents[number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(numbers) == list(range(1, 9))
    assert missing(bucket, [name for pushed in contents for name in names(pushed)]) == []


# -- leases -------------------------------------------------------------------------------------------


def test_a_lease_lives_while_it_is_renewed_and_dies_after_15_minutes(bucket: Faulty) -> None:
    clock = MovedClock()
    lease = Lease(bucket, clock, "clone")
    found = bucket.inner.head(layout.lease_key(lease.writer))
    assert found is not None

    alive = live_leases(bucket, found.modified_s + DEAD_S - 1)
    dead = live_leases(bucket, found.modified_s + DEAD_S + 1)
    bucket.log.clear()
    lease.renew()
    early = len(bucket.log)
    clock.now += 301
    lease.renew()

    assert (alive, dead) == ((lease.writer,), ())
    assert (early, len(bucket.log)) == (0, 1)


def test_writers_take_turns_where_create_if_absent_does_not_hold(bucket: Faulty) -> None:
    bucket.has_create_if_absent = False
    remote, other = opened(bucket), opened(bucket)
    assert remote.has_one_writer

    with remote.begin("one", "repo") as one:
        add(one, objects(3))
        with pytest.raises(LockTimeoutError):
            other.begin("two", "repo")
        one.commit([])

    assert push(other, objects(3, "other")) == 2
    assert bucket.keys("leases/") == []


def test_the_lock_of_a_writer_that_died_is_taken_over(bucket: Faulty) -> None:
    bucket.has_create_if_absent = False
    remote = opened(bucket, clock=MovedClock())
    remote.begin("one", "repo")
    lock = bucket.inner.get(layout.WRITER_LOCK_KEY)
    objects_of = bucket.inner._objects  # type: ignore[attr-defined]
    objects_of[layout.WRITER_LOCK_KEY] = (lock, objects_of[layout.WRITER_LOCK_KEY][1] - DEAD_S - 60)

    assert push(opened(bucket), objects(3)) == 1
