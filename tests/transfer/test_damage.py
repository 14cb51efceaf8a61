"""Damage on either end: what is sound goes on, what is not is named by path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.formats import pack
from dataver.model.names import BLOB, blob_name, root_name
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote
from tests.transfer.workbench import Clone, new_clone, new_remote, noise, oid_of, packs_of

FILES = {b"f%02d" % n: noise(n, 70_000) for n in range(20)}
SMALL = {b"s%03d" % n: noise(500 + n, 3_000) for n in range(200)}


@pytest.fixture
def here(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "there")


@pytest.fixture
def bucket() -> MemoryBucket:
    return new_remote()


def _flip(bucket: MemoryBucket, wanted: bytes) -> None:
    """Change one byte of the object *wanted* in the pack that holds it."""
    for key in packs_of(bucket):
        data = bucket.get(key)
        if wanted in data:
            bucket.put(key, data.replace(wanted, wanted[:-1] + bytes([wanted[-1] ^ 1])))


def _data_packs(bucket: MemoryBucket) -> list[str]:
    return [key for key in packs_of(bucket) if pack.split(bucket.get(key))[0].name(0)[0] == BLOB]


def _codes(failed: list) -> dict[bytes, str]:  # type: ignore[type-arg]
    return {failure.path: failure.code for failure in failed}


def test_a_flipped_byte_on_the_remote_names_one_file_and_the_others_arrive(
    here: Clone, there: Clone, bucket: MemoryBucket
) -> None:
    version = here.commit(FILES)
    here.push(bucket, version)
    _flip(bucket, FILES[b"f07"])

    done = there.fetch(bucket, version)

    assert _codes(done.failed) == {b"data/f07": "corrupt-object"}
    assert there.files(version) == {path: data for path, data in FILES.items() if path != b"f07"}


def test_a_pack_that_is_gone_names_its_files(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(FILES)
    here.push(bucket, version)
    bucket.delete(_data_packs(bucket))

    done = there.fetch(bucket, version)

    assert _codes(done.failed) == {b"data/" + path: "missing-object" for path in FILES}


def test_a_leaf_that_is_gone_names_its_target(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(SMALL)
    here.push(bucket, version)
    bucket.delete(set(packs_of(bucket)) - set(_data_packs(bucket)))

    done = there.fetch(bucket, version)

    assert _codes(done.failed) == {b"data": "missing-object"}


@pytest.mark.parametrize("harm", ["deleted", "truncated"])
def test_a_harmed_pack_is_sent_again(here: Clone, there: Clone, bucket: MemoryBucket, harm: str) -> None:
    version = here.commit({**FILES, **SMALL})
    here.push(bucket, version)
    for key in packs_of(bucket):
        if harm == "deleted":
            bucket.delete([key])
        else:
            bucket.put(key, bucket.get(key)[:-2000])

    here.push(bucket, version)
    there.fetch(bucket, version)

    assert there.files(version) == {**FILES, **SMALL}


def test_contents_that_are_gone_are_sent_again_though_their_leaf_is_there(
    here: Clone, there: Clone, bucket: MemoryBucket
) -> None:
    version = here.commit({**FILES, **SMALL})
    here.push(bucket, version)
    bucket.delete(_data_packs(bucket))

    here.push(bucket, version)
    there.fetch(bucket, version)

    assert there.files(version) == {**FILES, **SMALL}


def test_a_push_lacking_an_object_names_the_file_and_sends_the_others(
    here: Clone, there: Clone, bucket: MemoryBucket
) -> None:
    version = here.commit(FILES)
    os.unlink(here.cache.loose.path(oid_of(FILES[b"f03"])))

    done = here.push(bucket, version)

    assert _codes(done.failed) == {b"data/f03": "missing-object"}
    remote = Remote.open(bucket)
    remote.refresh()
    rest = [blob_name(oid_of(data)) for path, data in FILES.items() if path != b"f03"]
    assert remote.missing(rest) == []


def test_a_version_that_is_not_whole_is_not_named(here: Clone, bucket: MemoryBucket) -> None:
    whole, broken = here.commit(SMALL), here.commit(FILES)
    os.unlink(here.cache.loose.path(oid_of(FILES[b"f03"])))

    here.push(bucket, whole, broken)

    remote = Remote.open(bucket)
    remote.refresh()
    assert set(remote.roots()) == {whole.root_id}
    assert remote.missing([root_name(broken.root_id)]) == [root_name(broken.root_id)]


def test_a_damaged_loose_blob_goes_to_quarantine_and_the_others_are_sent(
    here: Clone, bucket: MemoryBucket
) -> None:
    version = here.commit(FILES)
    path = here.cache.loose.path(oid_of(FILES[b"f03"]))
    os.chmod(path, 0o644)
    Path(path).write_bytes(b"x" + FILES[b"f03"][1:])

    done = here.push(bucket, version)

    assert _codes(done.failed) == {b"data/f03": "corrupt-object"}
    assert not os.path.exists(path)
    assert done.objects == len(FILES) - 1 + 1


def test_a_damaged_pack_of_the_cache_sends_its_sound_objects(tmp_path: Path, bucket: MemoryBucket) -> None:
    here = new_clone(tmp_path / "here", pack_below=1 << 20)
    files = {b"f%02d" % n: noise(n, 400_000) for n in range(20)}
    version = here.commit(files)
    path = here.cache.packs(structure=False)[0].path
    data = bytearray(Path(path).read_bytes())
    data[data.index(files[b"f05"]) + 17] ^= 1
    os.chmod(path, 0o644)
    Path(path).write_bytes(data)
    here.cache.close()

    done = here.push(bucket, version)

    assert _codes(done.failed) == {b"data/f05": "corrupt-object"}
    remote = Remote.open(bucket)
    remote.refresh()
    rest = [blob_name(oid_of(content)) for name, content in files.items() if name != b"f05"]
    assert remote.missing(rest) == []


def test_a_damaged_chunk_names_the_large_file(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    large = noise(9, 12 << 20)
    version = here.commit({b"large": large, b"small": b"small"})
    here.push(bucket, version)
    _flip(bucket, large[5 << 20 : (5 << 20) + 100])

    done = there.fetch(bucket, version)

    assert _codes(done.failed) == {b"data/large": "corrupt-object"}
    assert there.files(version) == {b"small": b"small"}


def test_no_temp_file_stays_after_a_failed_fetch(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit({b"large": noise(9, 12 << 20), **FILES})
    here.push(bucket, version)
    for key in packs_of(bucket)[:2]:
        bucket.put(key, bucket.get(key)[:50_000])

    there.fetch(bucket, version)

    assert os.listdir(f"{there.cache.folder}/tmp") == []


def test_no_temp_file_stays_after_a_push(here: Clone, bucket: MemoryBucket) -> None:
    here.push(bucket, here.commit({b"large": noise(9, 12 << 20), **FILES, **SMALL}))

    assert os.listdir(f"{here.cache.folder}/tmp") == []


def test_a_push_of_a_leaf_that_only_the_remote_has_is_complete(
    here: Clone, there: Clone, bucket: MemoryBucket
) -> None:
    version = here.commit({**FILES, **SMALL})
    here.push(bucket, version)

    done = there.push(bucket, version)

    assert (done.failed, done.objects) == ([], 0)
