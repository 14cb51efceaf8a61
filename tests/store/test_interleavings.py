"""Every order in which the requests of pushes, gcs and fetches can fall between each other.

What must hold after each: what a successful push named and what the gc keeps is whole, a root that is
listed is complete, the journal verifies from nothing, no live segment lists a pack that is gone, no
lease is left, and nobody failed with anything that the next try would not mend.

Longer than 300 lines because every scene is judged by the same promises.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from dataver.disk.disk import Disk
from dataver.errors import DataverError
from dataver.model.names import ObjectName, blob_name, leaf_name, root_name
from dataver.store.bucket import Bucket
from dataver.store.cache import Cache
from dataver.store.remote import Remote, Surroundings
from dataver.store.trees import Trees
from dataver.transfer.collecting import Collection, collect
from dataver.transfer.receive import Received, receive
from dataver.transfer.send import OvertakenError, Sent, Writer, send
from dataver.transfer.verify import opened as content_of
from dataver.transfer.wanted import Ends, Version
from tests.store.interleaving import Outcome, StillClock, Swallowing, Work, explore, replay
from tests.transfer.gc_bench import DAY_S, DatedBucket, keep, new_remote, opened
from tests.transfer.gc_bench import push as push_at_once
from tests.transfer.workbench import WRITER, Clone, noise

_TRIES = 5

OLD = {b"a": b"alpha", b"x": noise(1, 900), b"y": noise(2, 900)}
KEPT = {b"a": b"alpha", b"z": noise(3, 300)}
NEW = {b"a": b"alpha", b"x": noise(1, 900), b"n": b"new"}
OTHER = {b"a": b"alpha", b"n": b"new", b"o": b"other"}


class QuickDisk(Disk):
    """A disk whose power never fails."""

    __slots__ = ()

    def sync(self, fd: int) -> None:
        return None

    def sync_filesystem(self, path: str | bytes) -> None:
        return None


class Fetched(NamedTuple):
    """What a fetch said, and what the cache has afterwards; nothing where it failed."""

    got: Received
    files: dict[bytes, bytes]


@dataclass(slots=True)
class Scene:
    """A remote, a clone that has every version, and what its actors do."""

    folder: Path
    clone: Clone
    bucket: DatedBucket
    """What every run begins with; none changes it."""
    works: list[Work] = field(default_factory=list)
    pushed: dict[int, Version] = field(default_factory=dict)
    """What each actor that is a push sends."""
    fetched: dict[int, Version] = field(default_factory=dict)
    stays: list[Version] = field(default_factory=list)
    versions: dict[bytes, list[ObjectName]] = field(default_factory=dict)
    """All that a version consists of, by the id of its root."""
    loses_answers: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    # -- before the runs

    def version(self, files: dict[bytes, bytes]) -> Version:
        version = self.clone.commit(files)
        trees = Trees(self.clone.cache)
        blobs = [blob_name(e.oid) for e in trees.entries(version.root_id) if e.oid is not None]
        leaves = [leaf_name(ref.leaf_id) for ref in trees.root(version.root_id).leaves]
        self.versions[version.root_id] = [root_name(version.root_id), *leaves, *blobs]
        return version

    def there(self, files: dict[bytes, bytes], *, days: int) -> Version:
        """Return a version that was pushed, so many *days* before anything else."""
        version = self.version(files)
        self.lies_there(version, days=days)
        return version

    def lies_there(self, *versions: Version, days: int) -> None:
        push_at_once(self.clone, self.bucket, self.bucket.clock, *versions)
        self.bucket.clock.now += days * DAY_S

    # -- actors

    def ends(self, bucket: Bucket, clone: Clone) -> Ends:
        if self.loses_answers:
            bucket = Swallowing(bucket)
        around = Surroundings(clone.disk, StillClock(self.bucket.clock.now), None)
        remote = Remote.open(bucket, around=around)
        remote.refresh()
        return Ends(clone.cache, remote, clone.disk, jobs=1)

    def push(self, version: Version) -> None:
        clone = clone_in(self.folder)
        writer = Writer(f"{len(self.works)}" * 32, WRITER.repo_id)

        def work(bucket: Bucket) -> Sent:
            ends = self.ends(bucket, clone)
            for _ in range(_TRIES - 1):
                try:
                    return send(ends, [version], writer)
                except OvertakenError:
                    ends.remote.refresh()
            return send(ends, [version], writer)

        self.pushed[len(self.works)] = version
        self.works.append(work)

    def gc(self, *stays: Version) -> None:
        """Keep *stays* and what is named from now on; nothing is too young to go."""

        clone = clone_in(self.folder)

        def work(bucket: Bucket) -> Collection:
            ends = self.ends(bucket, clone)
            what = replace(keep(*stays), since=ends.remote.seen.seq)
            return collect(ends, what, (WRITER.clone_id, WRITER.repo_id))

        self.stays += stays
        self.works.append(work)

    def fetch(self, version: Version) -> None:
        def work(bucket: Bucket) -> Fetched:
            folder = self.folder / f"fetch{next(self._numbers)}"
            clone = clone_in(folder)
            try:
                got = receive(self.ends(bucket, clone), [version])
                return Fetched(got, {} if got.failed else clone.files(version))
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        self.fetched[len(self.works)] = version
        self.works.append(work)

    # -- after each run

    def check(self, bucket: Bucket, outcome: Outcome) -> None:
        """Raise AssertionError where anything is not as promised."""
        for number, found in enumerate(outcome.results):
            assert not isinstance(found, BaseException), f"actor {number} failed"
            if isinstance(found, Sent | Collection):
                assert found.failed == [], f"actor {number} left something undone"
        fresh = Remote.open(bucket, around=Surroundings(Disk(), StillClock(self.bucket.clock.now), None))
        fresh.refresh(thoroughly=True)
        assert len(fresh.entries_since(0)) == fresh.seen.seq
        assert fresh.lost_packs() == set()
        stays = {v.root_id for v in (*self.stays, *self.pushed.values())}
        listed = {r for r in self.versions if fresh.find([root_name(r)])}
        assert stays <= listed, "a version that was pushed is gone"
        for root_id in listed:
            check_whole(fresh, self.versions[root_id])
        for number, version in self.fetched.items():
            found = outcome.results[number]
            assert isinstance(found, Fetched)
            self.check_fetched(version, found)
        assert list(bucket.list("leases/")) == []

    def check_fetched(self, version: Version, found: Fetched) -> None:
        """What stays arrives; of what a gc takes away any part may be missing, but nothing is wrong."""
        codes = {failure.code for failure in found.got.failed}
        assert codes <= (set() if version in self.stays else {"missing-object"})
        if not codes:
            assert found.files == self.clone.files(version)

    def judge(self, bucket: Bucket, outcome: Outcome) -> None:
        """Check, and say with which schedule it went wrong."""
        try:
            self.check(bucket, outcome)
        except (AssertionError, DataverError) as error:
            raise AssertionError(f"{error!r} with\n{outcome.shown()}") from error

    def explore(self, preemptions: int) -> int:
        """Judge the outcome of every schedule; return how many there were."""
        count = 0
        for bucket, outcome in explore(self.bucket.copy, self.works, preemptions=preemptions):
            self.judge(bucket, outcome)
            count += 1
        print(f"{count} schedules")  # noqa: T201  for whoever runs it with -s
        return count

    def replay(self, schedule: Sequence[int]) -> None:
        """Judge the outcome of one schedule, as a failure printed it."""
        bucket = self.bucket.copy()
        self.judge(bucket, replay(bucket, self.works, schedule))


def check_whole(remote: Remote, names: Sequence[ObjectName]) -> None:
    """Read all of *names* and hash it."""
    places = remote.find(names)
    assert [name for name in names if name not in places] == []
    ranges = [(place.pack_id, place.offset, place.stored) for place in places.values()]
    for (name, place), stored in zip(places.items(), remote.read_ranges(ranges), strict=True):
        assert not isinstance(stored, DataverError), stored
        assert content_of(name, place.codec, stored, place.raw) is not None


def clone_in(folder: Path) -> Clone:
    disk = QuickDisk()
    return Clone(Cache(str(folder / "cache"), disk), disk)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, clone_in(tmp_path), new_remote())


# -- the scenes --------------------------------------------------------------------------------------


def two_pushes(scene: Scene) -> None:
    """Two pushes of versions that share objects, on a remote that has nothing."""
    scene.push(scene.version(NEW))
    scene.push(scene.version(OTHER))


def naming_and_gc(scene: Scene) -> None:
    """A push that uploads nothing, and a gc that would take just that away."""
    old = scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.push(old)
    scene.gc(kept)


def push_and_gc(scene: Scene) -> None:
    """A push of something new that relies on what a gc would take away or move."""
    scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.push(scene.version(NEW))
    scene.gc(kept)


def push_and_idle_gc(scene: Scene) -> None:
    """A push, and a gc for which there is nothing but what it takes for strays."""
    old = scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.push(scene.version(NEW))
    scene.gc(kept, old)


def fetch_and_gc(scene: Scene) -> None:
    """A fetch of what a gc moves from one pack to another."""
    old, kept = scene.version(OLD), scene.version(KEPT)
    # In one push, so that their trees share a pack too.
    scene.lies_there(old, kept, days=30)
    scene.fetch(kept)
    scene.gc(kept)


def late_fetch_and_gc(scene: Scene) -> None:
    """A fetch of what a gc takes away, and rightly."""
    old = scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.fetch(old)
    scene.gc(kept)


def two_gcs(scene: Scene) -> None:
    """Two gcs that would do the same."""
    scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.gc(kept)
    scene.gc(kept)


def gcs_that_differ(scene: Scene) -> None:
    """Two gcs of which one would take away nothing but what the other is about to list."""
    old = scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.gc(kept)
    scene.gc(kept, old)
    scene.stays.remove(old)


def checkpoint_and_gc(scene: Scene) -> None:
    """A push whose entry has a state beside it, and a gc that sees the state before there is an entry."""
    kept = scene.there(KEPT, days=0)
    remote = opened(scene.bucket, scene.bucket.clock)
    for _ in range(62):
        with remote.begin("clone", WRITER.repo_id) as session:
            session.commit([kept.root_id])
    scene.push(scene.version(NEW))
    scene.gc(kept)


def push_gc_and_fetch(scene: Scene) -> None:
    """All three: what is pushed, kept and fetched shares objects."""
    old, kept = scene.version(OLD), scene.version(KEPT)
    scene.lies_there(old, kept, days=30)
    scene.push(scene.version(NEW))
    scene.gc(kept)
    scene.fetch(kept)


def two_pushes_and_gc(scene: Scene) -> None:
    """One push names what the gc would take away, another sends something new that relies on it."""
    old = scene.there(OLD, days=10)
    kept = scene.there(KEPT, days=30)
    scene.push(old)
    scene.push(scene.version(NEW))
    scene.gc(kept)


Build = Callable[[Scene], None]


def case(build: Build, preemptions: int, at_least: int) -> object:
    """Return a case with a floor under its schedules: fewer than half of today's would be a mistake."""
    return pytest.param(build, preemptions, at_least, id=f"{build.__name__}-{preemptions}")


# -- every order -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "preemptions", "at_least"),
    [
        case(two_pushes, 2, 15),
        case(naming_and_gc, 2, 40),
        case(push_and_gc, 2, 60),
        case(fetch_and_gc, 2, 5),
        case(late_fetch_and_gc, 2, 7),
        case(two_gcs, 2, 150),
        case(gcs_that_differ, 2, 70),
        case(push_gc_and_fetch, 1, 70),
    ],
)
def test_nothing_is_lost_whoever_is_quicker(
    scene: Scene, build: Build, preemptions: int, at_least: int
) -> None:
    build(scene)

    assert scene.explore(preemptions) >= at_least


@pytest.mark.parametrize(
    ("build", "preemptions", "at_least"),
    [case(two_pushes, 1, 10), case(push_and_gc, 1, 15), case(push_and_idle_gc, 2, 30)],
)
def test_nothing_is_lost_where_pushes_merge_segments(
    scene: Scene, build: Build, preemptions: int, at_least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.there(OLD, days=1)
    scene.there(KEPT, days=1)
    build(scene)
    # Two segments are enough then: nine would say no more, and take long.
    monkeypatch.setattr("dataver.store.compaction._FANOUT", 1)

    assert scene.explore(preemptions) >= at_least


@pytest.mark.parametrize(
    ("build", "preemptions", "at_least"),
    [case(two_pushes, 2, 15), case(naming_and_gc, 1, 12), case(push_and_gc, 1, 15), case(two_gcs, 1, 20)],
)
def test_nothing_is_lost_where_the_answer_to_every_new_entry_is(
    scene: Scene, build: Build, preemptions: int, at_least: int
) -> None:
    scene.loses_answers = True
    build(scene)

    assert scene.explore(preemptions) >= at_least


@pytest.mark.scale
@pytest.mark.parametrize(
    ("build", "preemptions", "at_least"),
    [
        case(two_pushes, 4, 15),
        case(naming_and_gc, 3, 60),
        case(push_and_gc, 3, 100),
        case(fetch_and_gc, 4, 5),
        case(late_fetch_and_gc, 4, 7),
        case(two_gcs, 3, 300),
        case(gcs_that_differ, 3, 150),
        case(push_gc_and_fetch, 2, 300),
        case(two_pushes_and_gc, 2, 300),
    ],
)
@pytest.mark.parametrize("fanout", [8, 1])
@pytest.mark.parametrize("loses_answers", [False, True])
def test_nothing_is_lost_when_they_interrupt_each_other_more_often(
    scene: Scene,
    build: Build,
    preemptions: int,
    at_least: int,
    fanout: int,
    loses_answers: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build(scene)
    monkeypatch.setattr("dataver.store.compaction._FANOUT", fanout)
    scene.loses_answers = loses_answers

    assert scene.explore(preemptions) >= at_least


# -- schedules that went wrong once ------------------------------------------------------------------


def test_a_gc_that_plans_again_keeps_what_it_has_copied(scene: Scene) -> None:
    push_and_gc(scene)

    scene.replay([1, 21, 0, 1])


def test_a_gc_that_finds_a_segment_gone_plans_again(scene: Scene) -> None:
    two_gcs(scene)

    scene.replay([0, 16, 1, 1])


def test_a_push_whose_segment_a_gc_took_for_a_stray_writes_it_again(scene: Scene) -> None:
    push_and_gc(scene)

    scene.replay([1, 13, 0, 16, 1, 1])


def test_a_gc_whose_segment_another_took_for_a_stray_plans_again(scene: Scene) -> None:
    gcs_that_differ(scene)

    scene.replay([1, 13, 0, 23, 1, 1])


def test_a_gc_leaves_the_state_of_an_entry_that_is_about_to_come(scene: Scene) -> None:
    checkpoint_and_gc(scene)

    scene.replay([1, 75, 0, 78, 1, 1])


# -- the scheduler -----------------------------------------------------------------------------------


def counter(bucket: Bucket) -> None:
    """Count as one must not: what is read may be old by the time that it is written."""
    found = bucket.head("count")
    bucket.put("count", bytes((found.size if found else 0) + 1))


def test_a_lost_update_is_found_and_its_schedule_finds_it_again(scene: Scene) -> None:
    runs = list(explore(scene.bucket.copy, [counter, counter], preemptions=1))
    lost = [one for bucket, one in runs if len(bucket.get("count")) == 1]
    bucket = scene.bucket.copy()

    again = replay(bucket, [counter, counter], lost[0].schedule)

    assert len(lost) == 2
    assert again == lost[0]
    assert len(bucket.get("count")) == 1


def test_actors_that_have_nothing_in_common_have_few_schedules(scene: Scene) -> None:
    def puts(name: str) -> Work:
        def work(bucket: Bucket) -> None:
            for number in range(20):
                bucket.put(f"{name}{number}", b"")

        return work

    assert sum(1 for _ in explore(scene.bucket.copy, [puts("a"), puts("b")], preemptions=2)) == 2
