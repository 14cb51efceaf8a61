"""Garbage collection of a remote: what goes, what stays, and that nothing in between can lose what stays."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataver.errors import DataverError, MissingObjectError, OfflineError, UnprovenError
from dataver.store.bucket import Bucket
from dataver.store.leases import DEAD_S, Lease
from dataver.transfer.receive import receive
from dataver.transfer.send import OvertakenError, send
from dataver.transfer.wanted import Version
from tests.store.faults import Faulty
from tests.transfer.gc_bench import (
    DAY_S,
    DatedBucket,
    ends,
    gc,
    keep,
    new_remote,
    opened,
    push,
    restored,
)
from tests.transfer.workbench import WRITER, Clone, new_clone, noise

KEPT = {b"a": b"alpha", b"b": noise(1, 3000), b"sub/c": noise(2, 9_000_000)}
OLD = {b"a": b"alpha", b"x": noise(3, 50_000), b"y": noise(4, 9_000_000)}


@pytest.fixture
def bucket() -> DatedBucket:
    return new_remote()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "clone")


@pytest.fixture
def old(clone: Clone, bucket: DatedBucket) -> Version:
    """Return a version that was pushed 40 days ago."""
    version = clone.commit(OLD)
    push(clone, bucket, bucket.clock, version)
    bucket.clock.now += 10 * DAY_S
    return version


@pytest.fixture
def kept(clone: Clone, bucket: DatedBucket, old: Version) -> Version:
    """Return a version that was pushed 30 days ago."""
    version = clone.commit(KEPT)
    push(clone, bucket, bucket.clock, version)
    bucket.clock.now += 30 * DAY_S
    return version


# -- what goes -------------------------------------------------------------------------------------


def test_what_no_kept_version_needs_is_gone(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    before = sum(info.size for info in bucket.list("packs/"))

    done = gc(clone, bucket, bucket.clock, keep(kept))

    after = sum(info.size for info in bucket.list("packs/"))
    assert restored(tmp_path / "fresh", bucket, bucket.clock, kept) == KEPT
    assert restored(tmp_path / "other", bucket, bucket.clock, old) is None
    assert after < before - 9_000_000
    assert done.failed == []


def test_nothing_is_written_by_a_rehearsal_and_it_says_what_will_go(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    before = bucket.copy()

    told = gc(clone, bucket, bucket.clock, keep(kept), is_dry=True)

    assert bucket._objects == before._objects
    done = gc(clone, bucket, bucket.clock, keep(kept))
    assert (told.objects, told.packs, told.kept) == (done.objects, done.packs, done.kept)
    assert abs(told.size - done.size) < 1000


def test_a_second_gc_finds_nothing(clone: Clone, bucket: DatedBucket, old: Version, kept: Version) -> None:
    gc(clone, bucket, bucket.clock, keep(kept))

    done = gc(clone, bucket, bucket.clock, keep(kept))

    assert (done.packs, done.size, done.seq) == (0, 0, 0)


def test_no_live_segment_lists_a_root_of_which_parts_are_gone(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    from dataver.model.names import root_name

    gc(clone, bucket, bucket.clock, keep(kept))

    remote = opened(bucket, bucket.clock)
    assert remote.complete_roots([root_name(old.root_id), root_name(kept.root_id)]) == {
        root_name(kept.root_id)
    }


def test_what_went_is_sent_again_by_the_next_push_that_needs_it(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    gc(clone, bucket, bucket.clock, keep(kept))

    push(clone, bucket, bucket.clock, old)

    assert restored(tmp_path / "fresh", bucket, bucket.clock, old) == OLD


def test_versions_named_within_the_grace_period_stay(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    push(clone, bucket, bucket.clock, old)
    bucket.clock.now += 5 * DAY_S

    gc(clone, bucket, bucket.clock, keep(grace_s=6 * DAY_S))

    assert restored(tmp_path / "fresh", bucket, bucket.clock, old) == OLD


def test_what_was_stored_within_the_grace_period_stays(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    packs = bucket.keys("packs/")

    done = gc(clone, bucket, bucket.clock, keep(grace_s=41 * DAY_S))

    assert bucket.keys("packs/") == packs
    assert done.seq == 0


def test_packs_and_segments_that_nobody_lists_go_when_they_are_old(
    clone: Clone, bucket: DatedBucket, kept: Version
) -> None:
    for prefix in ("packs/ee/", "segments/"):
        bucket.put(f"{prefix}{'ee' * 32}", b"stray")
        bucket.date(f"{prefix}{'ee' * 32}", bucket.clock.now - 3 * DAY_S)
        bucket.put(f"{prefix.replace('ee', 'dd')}{'dd' * 32}", b"young")

    gc(clone, bucket, bucket.clock, keep(kept, grace_s=2 * DAY_S))

    strays = [
        key for key in (*bucket.keys("packs/"), *bucket.keys("segments/")) if key[-4:] in ("eeee", "dddd")
    ]
    assert strays == [f"packs/dd/{'dd' * 32}", f"segments/{'dd' * 32}"]


def test_what_an_entry_named_and_nobody_deleted_goes_the_next_time(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    faulty = Faulty(bucket)
    faulty.before = lambda operation, key: _lose(operation == "delete" and not key.startswith("leases/"))
    first = gc(clone, faulty, bucket.clock, keep(kept))
    after_first = set(bucket.keys("packs/"))

    gc(clone, bucket, bucket.clock, keep(kept))

    live = {f"packs/{p.hex()[:2]}/{p.hex()}" for p in opened(bucket, bucket.clock).pack_sizes()}
    assert [failure.code for failure in first.failed] == ["offline"]
    assert after_first > live
    assert set(bucket.keys("packs/")) == live


def _lose(is_lost: bool) -> None:
    if is_lost:
        raise OfflineError("test", "gone")


def test_dead_leases_and_broken_uploads_go_and_the_files_of_clients_stay(
    clone: Clone, bucket: DatedBucket, kept: Version
) -> None:
    bucket.put("leases/dead", b"dead\n0\n")
    bucket.put("clients/someone", b"")
    bucket.put("packs/aa/.dataver-tmp-1", b"half")
    bucket.clock.now += DAY_S

    gc(clone, bucket, bucket.clock, keep(kept))

    assert bucket.keys("leases/") == []
    assert bucket.keys("packs/aa/.") == []
    assert bucket.keys("clients/") == ["clients/someone"]


def test_states_of_checkpoints_stay_and_others_go(clone: Clone, bucket: DatedBucket, kept: Version) -> None:
    remote = opened(bucket, bucket.clock)
    for _ in range(64):
        with remote.begin("clone", WRITER.repo_id) as session:
            session.commit([kept.root_id])
    (state,) = bucket.keys("states/")
    bucket.put(f"states/{'ab' * 32}", b"of one that lost its number")
    bucket.clock.now += DAY_S

    gc(clone, bucket, bucket.clock, keep(kept))

    assert bucket.keys("states/") == [state]


# -- what is refused ---------------------------------------------------------------------------------


def refused(clone: Clone, bucket: Bucket, at: DatedBucket, *versions: Version) -> type[DataverError]:
    """Return what a gc that keeps *versions* raises; it must delete nothing."""
    before = {key: data for key, data in at._objects.items() if not key.startswith("leases/")}
    with pytest.raises(DataverError) as caught:
        gc(clone, bucket, at.clock, keep(*versions))
    assert {key: data for key, data in at._objects.items() if not key.startswith("leases/")} == before
    assert at.keys("leases/") == []
    return caught.type


def test_a_kept_version_whose_tree_is_nowhere_refuses(
    bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    elsewhere = new_clone(tmp_path / "elsewhere").commit({b"z": b"never pushed"})

    assert refused(new_clone(tmp_path / "fresh"), bucket, bucket, kept, elsewhere) is MissingObjectError


def test_a_kept_version_whose_tree_is_damaged_refuses(
    bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    from dataver.model.names import root_name

    remote = opened(bucket, bucket.clock)
    place = remote.find([root_name(kept.root_id)])[root_name(kept.root_id)]
    key = f"packs/{place.pack_id.hex()[:2]}/{place.pack_id.hex()}"
    bucket._objects[key] = (bytes(len(bucket._objects[key][0])), bucket._objects[key][1])

    assert issubclass(refused(new_clone(tmp_path / "fresh"), bucket, bucket, kept), DataverError)


def test_a_version_that_is_nowhere_can_be_taken_for_lost(
    bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    elsewhere = new_clone(tmp_path / "elsewhere").commit({b"z": b"lost for ever"})
    fresh = new_clone(tmp_path / "fresh")

    done = gc(fresh, bucket, bucket.clock, keep(kept, elsewhere, ignores_missing=True))

    assert done.packs > 0
    assert restored(tmp_path / "other", bucket, bucket.clock, kept) == KEPT


def test_a_version_of_others_that_the_remote_lacks_is_no_fault(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    elsewhere = new_clone(tmp_path / "elsewhere").commit({b"z": b"kept on another remote"})

    done = gc(clone, bucket, bucket.clock, keep(kept, others=[elsewhere]))

    assert done.packs > 0


def test_a_repository_that_was_not_asked_refuses(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    opened(bucket, bucket.clock).register("stranger", "clone", is_writer=True)

    assert refused(clone, bucket, bucket, kept) is UnprovenError


def test_a_repository_that_the_journal_names_refuses(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version
) -> None:
    with opened(bucket, bucket.clock).begin("c", "stranger") as session:
        session.commit([b"r" * 32])

    assert refused(clone, bucket, bucket, kept) is UnprovenError


@pytest.mark.parametrize("skew_s", [400, -400])
def test_clocks_that_differ_refuse(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, skew_s: int
) -> None:
    from tests.store.faults import MovedClock

    ours = MovedClock(bucket.clock.now + skew_s)
    before = set(bucket._objects)

    with pytest.raises(UnprovenError, match="clock"):
        gc(clone, bucket, ours, keep(kept))

    assert set(bucket._objects) == before


def test_what_was_stored_since_a_writer_at_work_began_stays(
    clone: Clone, bucket: DatedBucket, kept: Version
) -> None:
    bucket.put(f"packs/aa/{'aa' * 32}", b"before")
    bucket.clock.now += 10
    lease = Lease(bucket, bucket.clock, "writer")
    bucket.clock.now += 400
    bucket.put(f"packs/bb/{'bb' * 32}", b"its own")
    lease.renew()
    bucket.clock.now += 1

    gc(clone, bucket, bucket.clock, keep(kept))

    assert bucket.keys("packs/aa/aaa") == []
    assert bucket.keys("packs/bb/bbb") == [f"packs/bb/{'bb' * 32}"]


# -- others at work ------------------------------------------------------------------------------------


def test_a_push_that_began_before_the_gc_and_ends_after_it_loses_nothing(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    changed = {**OLD, b"new": b"new"}
    version = clone.commit(changed)
    faulty = Faulty(bucket)
    there = ends(clone, faulty, bucket.clock)

    def collect_now(operation: str, key: str) -> None:
        if operation == "put" and key.startswith("packs/"):
            faulty.before = lambda operation, key: None
            gc(clone, bucket, bucket.clock, keep(kept))

    faulty.before = collect_now
    with pytest.raises(OvertakenError):
        send(there, [version], WRITER)
    push(clone, bucket, bucket.clock, version)

    assert restored(tmp_path / "fresh", bucket, bucket.clock, version) == changed
    assert restored(tmp_path / "other", bucket, bucket.clock, kept) == KEPT


def test_a_push_whose_version_a_gc_takes_away_before_its_lease_sends_it_again(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    faulty = Faulty(bucket)
    there = ends(clone, faulty, bucket.clock)

    def collect_now(operation: str, key: str) -> None:
        if operation == "put" and key.startswith("leases/"):
            faulty.before = lambda operation, key: None
            gc(clone, bucket, bucket.clock, keep(kept))

    faulty.before = collect_now
    with pytest.raises(OvertakenError):
        send(there, [old], WRITER)
    push(clone, bucket, bucket.clock, old)

    assert restored(tmp_path / "fresh", bucket, bucket.clock, old) == OLD


def test_a_version_that_a_push_names_while_the_gc_plans_stays(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    faulty = Faulty(bucket)

    def push_now(operation: str, key: str) -> None:
        if operation == "put_new" and key.startswith("journal/"):
            faulty.before = lambda operation, key: None
            push(clone, bucket, bucket.clock, old)

    faulty.before = push_now
    gc(clone, faulty, bucket.clock, keep(kept))

    assert restored(tmp_path / "fresh", bucket, bucket.clock, old) == OLD
    assert restored(tmp_path / "other", bucket, bucket.clock, kept) == KEPT


def test_a_push_of_something_else_does_not_spoil_the_plan(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    faulty = Faulty(bucket)
    files = {b"other": noise(9, 1000)}
    version = clone.commit(files)

    def push_now(operation: str, key: str) -> None:
        if operation == "put_new" and key.startswith("journal/"):
            faulty.before = lambda operation, key: None
            push(clone, bucket, bucket.clock, version)

    faulty.before = push_now
    gc(clone, faulty, bucket.clock, keep(kept))

    lists = [key for operation, key in faulty.log if operation == "list" and key == "packs/"]
    assert len(lists) == 1
    assert restored(tmp_path / "fresh", bucket, bucket.clock, version) == files
    assert restored(tmp_path / "other", bucket, bucket.clock, old) is None


def test_two_gcs_at_once_lose_nothing_and_leave_nothing(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    faulty = Faulty(bucket)
    other = new_clone(tmp_path / "second")

    def collect_now(operation: str, key: str) -> None:
        if operation == "put_new" and key.startswith("journal/"):
            faulty.before = lambda operation, key: None
            gc(other, bucket, bucket.clock, keep(kept))

    faulty.before = collect_now
    gc(clone, faulty, bucket.clock, keep(kept))

    remote = opened(bucket, bucket.clock)
    assert restored(tmp_path / "fresh", bucket, bucket.clock, kept) == KEPT
    assert len(bucket.keys("packs/")) == len(remote.pack_sizes())
    assert len(bucket.keys("segments/")) == len(remote.live_segments())


def test_a_fetch_finds_what_a_gc_moves_meanwhile(
    clone: Clone, bucket: DatedBucket, old: Version, kept: Version, tmp_path: Path
) -> None:
    fresh = new_clone(tmp_path / "fresh")
    there = ends(fresh, bucket, bucket.clock)
    there.remote.pack_sizes()
    gc(clone, bucket, bucket.clock, keep(kept))

    got = receive(there, [kept])

    assert got.failed == []
    assert fresh.files(kept) == KEPT


# -- faults ------------------------------------------------------------------------------------------


class _Killed(BaseException):
    """Stands for kill -9: nobody catches it, and nothing is cleaned up after it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A remote with a version to keep, of which a part shares packs with what nobody needs."""

    bucket: DatedBucket
    kept: Version
    files: dict[bytes, bytes]


@pytest.fixture
def scene(clone: Clone, bucket: DatedBucket) -> Scene:
    files = {b"a": b"alpha", b"b": noise(5, 2000)}
    versions = [clone.commit({**files, **more}) for more in ({b"x": noise(6, 30_000)}, {b"b": b"other"}, {})]
    for version in versions:
        push(clone, bucket, bucket.clock, version)
        bucket.clock.now += DAY_S
    return Scene(bucket, versions[-1], files)


def requests_of(clone: Clone, scene: Scene) -> int:
    counted = Faulty(scene.bucket.copy())
    gc(clone, counted, scene.bucket.clock, keep(scene.kept))
    assert {"packs", "segments", "journal"} <= {
        key.partition("/")[0] for operation, key in counted.log if operation in ("put", "put_new")
    }
    return counted.requests


def check_repeat(clone: Clone, scene: Scene, there: DatedBucket, where: Path) -> None:
    """Check that all that is kept is there, and that the same command finishes."""
    _chain_holds(there)
    assert restored(where, there, there.clock, scene.kept) == scene.files
    there.clock.now += DEAD_S + 1
    gc(clone, there, there.clock, keep(scene.kept))
    remote = opened(there, there.clock)
    assert len(there.keys("packs/")) == len(remote.pack_sizes())
    assert len(there.keys("segments/")) == len(remote.live_segments())
    assert restored(where / "again", there, there.clock, scene.kept) == scene.files


def _chain_holds(at: DatedBucket) -> None:
    sizes = opened(at, at.clock).pack_sizes()
    lying = {info.key: info.size for info in at.list("packs/")}
    assert all(lying.get(f"packs/{p.hex()[:2]}/{p.hex()}") == size for p, size in sizes.items())


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_request_a_gc_leaves_the_remote_whole_and_a_repeat_finishes(
    clone: Clone, scene: Scene, tmp_path: Path, when: str
) -> None:
    for number in range(1, requests_of(clone, scene) + 1):
        there = scene.bucket.copy()
        dying = Faulty(there)

        def die(operation: str, key: str, at: int = number, dying: Faulty = dying) -> None:
            if dying.requests >= at:
                raise _Killed

        setattr(dying, when, die)
        with contextlib.suppress(_Killed):
            gc(clone, dying, there.clock, keep(scene.kept))

        check_repeat(clone, scene, there, tmp_path / str(number))


@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_off_at_any_request_a_gc_ends_with_an_error_of_ours_or_all_is_done(
    clone: Clone, scene: Scene, tmp_path: Path, when: str
) -> None:
    for number in range(1, requests_of(clone, scene) + 1):
        there = scene.bucket.copy()
        faulty = Faulty(there)

        def cut(operation: str, key: str, at: int = number, faulty: Faulty = faulty) -> None:
            if faulty.requests == at:
                raise OfflineError("test", "connection lost")

        setattr(faulty, when, cut)
        with contextlib.suppress(OfflineError):
            gc(clone, faulty, there.clock, keep(scene.kept))

        check_repeat(clone, scene, there, tmp_path / str(number))
