"""A fetch of few paths of many: counted in leaves and requests on the bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.errors import DiskFullError
from dataver.model.names import LEAF, blob_name
from dataver.store.memory import MemoryBucket
from dataver.transfer import receive as receiving
from dataver.transfer.receive import Received, receive
from dataver.transfer.wanted import Version
from dataver.workspace.sparse import Sparse
from tests.transfer.workbench import Clone, new_clone, new_remote, noise, oid_of

MANY = {b"d%03d/f%05d" % (n // 500, n): b"%d" % n + noise(n % 50, 40) for n in range(20_000)}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryBucket, Version]:
    here = new_clone(tmp_path_factory.mktemp("here"))
    bucket = new_remote()
    version = here.commit(MANY)
    here.push(bucket, version)
    return bucket, version


@pytest.fixture
def there(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "there")


def _narrowed(version: Version, *patterns: bytes) -> Version:
    return Version(
        version.root_id, version.target, version.is_folder, version.files, version.size, Sparse(patterns)
    )


def _fetched(there: Clone, published: tuple[MemoryBucket, Version], *patterns: bytes) -> Received:
    bucket, version = published
    return there.fetch(bucket, _narrowed(version, *patterns))


def _leaves(there: Clone) -> int:
    return sum(row.name[0] == LEAF for p in there.cache.packs(structure=True) for row in p.table.rows())


def test_one_file_of_many_costs_one_leaf(there: Clone, published: tuple[MemoryBucket, Version]) -> None:
    done = _fetched(there, published, b"d020/f10123")

    assert (done.files, done.failed, _leaves(there)) == (1, [], 1)
    assert there.cache.has(blob_name(oid_of(MANY[b"d020/f10123"])))


def test_one_file_of_many_costs_three_ranges_once_the_journal_is_known(
    there: Clone, published: tuple[MemoryBucket, Version]
) -> None:
    bucket, version = published
    ends = there.ends(bucket)
    ends.remote.find([blob_name(oid_of(b"elsewhere"))])
    ends.remote.pack_sizes()
    before = bucket.requests

    receive(ends, [_narrowed(version, b"d020/f10123")])

    # Root, leaf and file; each is looked up in the segment by one range where no copy is kept.
    assert bucket.requests - before <= 3 * 2


def test_a_folder_brings_all_of_it_and_nothing_else(
    there: Clone, published: tuple[MemoryBucket, Version]
) -> None:
    _fetched(there, published, b"d007")

    here = {path for path, data in MANY.items() if there.cache.has(blob_name(oid_of(data)))}
    assert here == {path for path in MANY if path.startswith(b"d007/")}


def test_a_pattern_brings_what_it_matches(there: Clone, published: tuple[MemoryBucket, Version]) -> None:
    done = _fetched(there, published, b"d00?/f*00")

    assert done.files == sum(1 for path in MANY if path.startswith(b"d00") and path.endswith(b"00"))


def test_paths_that_overlap_are_counted_once(there: Clone, published: tuple[MemoryBucket, Version]) -> None:
    done = _fetched(there, published, b"d007", b"d007/f03500")

    assert done.files == 500


def test_a_path_that_is_not_there_matches_nothing(
    there: Clone, published: tuple[MemoryBucket, Version]
) -> None:
    done = _fetched(there, published, b"d007/nothing")

    assert (done.files, done.matched, done.failed) == (0, set(), [])


def test_what_no_one_asked_for_does_not_come_along(
    there: Clone, published: tuple[MemoryBucket, Version]
) -> None:
    bucket, version = published
    unwanted = b"d000/f00001"
    wanted = [path for path in MANY if path != unwanted]

    there.fetch(bucket, _narrowed(version, *(b"d%03d" % n for n in range(1, 40)), *(p for p in wanted[:500])))

    assert not there.cache.has(blob_name(oid_of(MANY[unwanted])))


def test_a_dry_run_counts_and_brings_nothing(there: Clone, published: tuple[MemoryBucket, Version]) -> None:
    bucket, version = published

    done = there.fetch(bucket, version, dry_run=True)

    assert (done.files, done.objects) == (
        len(MANY),
        len(set(MANY.values())) + _structure(there, bucket, version),
    )
    assert there.cache.packs(structure=True) == []
    assert there.cache.packs(structure=False) == []


def _structure(there: Clone, bucket: MemoryBucket, version: Version) -> int:
    from dataver.transfer.structure import Structure

    return len(Structure(there.ends(bucket)).root(version.root_id).leaves) + 1


def test_a_disk_that_is_too_full_is_noticed_before_anything_is_read(
    there: Clone, published: tuple[MemoryBucket, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: str, need: int) -> None:
        raise DiskFullError(folder, need, 7)

    monkeypatch.setattr(receiving, "check_space", full)
    bucket, version = published

    with pytest.raises(DiskFullError) as caught:
        there.fetch(bucket, version)

    assert caught.value.need == sum(map(len, set(MANY.values())))
    assert there.cache.packs(structure=False) == []
