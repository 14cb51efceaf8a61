"""The cache: durable before it is named, verified when it is read, and damage costs only what is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import CorruptObjectError, MissingObjectError
from dataver.hashing import BLAKE3, digest
from dataver.model.names import ObjectName, Oid, blob_name, leaf_name, oid_of_digest
from dataver.store.cache import Cache
from dataver.store.cache_writer import FOLD_COUNT, CacheWriter


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(str(tmp_path / "cache"), Disk())
    yield cache
    cache.close()


def _oid(data: bytes) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, data))


def _store(cache: Cache, *contents: bytes) -> list[ObjectName]:
    names = [blob_name(_oid(c)) for c in contents]
    with CacheWriter(cache) as writer:
        for name, content in zip(names, contents, strict=True):
            writer.add(name, content)
        writer.commit()
    return names


def _store_loose(cache: Cache, content: bytes) -> ObjectName:
    temp = cache.temp_path()
    Path(temp).write_bytes(content)
    cache.publish([], [(temp, _oid(content))])
    return blob_name(_oid(content))


def _spoil(path: Path, sought: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.find(sought)] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_what_was_committed_is_found_and_read(cache: Cache) -> None:
    names = _store(cache, b"one", b"two")

    assert cache.missing([*names, blob_name(_oid(b"three"))]) == [blob_name(_oid(b"three"))]
    assert [bytes(cache.read(n)) for n in names] == [b"one", b"two"]


def test_a_writer_that_is_left_early_leaves_nothing(cache: Cache) -> None:
    with CacheWriter(cache) as writer:
        writer.add(blob_name(_oid(b"one")), b"one")

    assert not cache.has(blob_name(_oid(b"one")))
    assert os.listdir(f"{cache.folder}/tmp") == []


def test_another_process_s_pack_is_found_without_being_told(cache: Cache) -> None:
    _store(cache, b"one")
    other = Cache(cache.folder, Disk())
    (name,) = _store(other, b"two")
    other.close()

    assert bytes(cache.read(name)) == b"two"


def test_what_is_nowhere_is_missing(cache: Cache) -> None:
    with pytest.raises(MissingObjectError):
        cache.read(blob_name(_oid(b"nowhere")))


def test_a_corrupt_blob_is_set_aside_and_its_pack_s_others_stay(cache: Cache, tmp_path: Path) -> None:
    first, second = _store(cache, b"first content", b"second content")
    cache.close()
    (pack,) = (tmp_path / "cache/packs").iterdir()
    _spoil(pack, b"first content")

    with pytest.raises(CorruptObjectError):
        cache.read(first)

    assert not cache.has(first)
    assert bytes(cache.read(second)) == b"second content"
    assert len(list((tmp_path / "cache/quarantine").iterdir())) == 1


def test_corrupt_structure_is_set_aside_so_that_it_can_be_fetched_again(cache: Cache, tmp_path: Path) -> None:
    name = leaf_name(bytes(32))
    with CacheWriter(cache) as writer:
        writer.add(name, b"the bytes of a leaf")
        writer.commit()
    cache.close()
    (pack,) = (tmp_path / "cache/packs").iterdir()
    _spoil(pack, b"the bytes")

    with pytest.raises(CorruptObjectError):
        cache.read(name)

    assert not cache.has(name)


def test_a_corrupt_loose_blob_is_set_aside(cache: Cache) -> None:
    name = _store_loose(cache, b"loose content")
    _spoil(Path(cache.loose.path(_oid(b"loose content"))), b"loose")

    with pytest.raises(CorruptObjectError):
        cache.read(name)

    assert not cache.has(name)


@pytest.mark.parametrize("keep", [0, 4, -1, -30])
def test_a_truncated_pack_is_set_aside_and_the_others_are_read(
    cache: Cache, tmp_path: Path, keep: int
) -> None:
    (lost,) = _store(cache, b"lost")
    (spoilt,) = (tmp_path / "cache/packs").iterdir()
    (kept,) = _store(cache, b"kept")
    cache.close()
    data = spoilt.read_bytes()
    spoilt.chmod(0o644)
    spoilt.write_bytes(data[:keep])

    assert bytes(cache.read(kept)) == b"kept"
    assert not cache.has(lost)
    assert not spoilt.exists()


def test_a_pack_of_a_later_release_is_left_alone_and_the_others_are_read(
    cache: Cache, tmp_path: Path
) -> None:
    (newer,) = _store(cache, b"newer")
    (unread,) = (tmp_path / "cache/packs").iterdir()
    (kept,) = _store(cache, b"kept")
    cache.close()
    data = bytearray(unread.read_bytes())
    data[-1] += 1
    unread.chmod(0o644)
    unread.write_bytes(data)

    assert bytes(cache.read(kept)) == b"kept"
    assert not cache.has(newer)
    assert unread.read_bytes() == data


def test_many_small_packs_become_one(cache: Cache, tmp_path: Path) -> None:
    names = [_store(cache, b"content %d" % n)[0] for n in range(FOLD_COUNT + 2)]

    assert len(list((tmp_path / "cache/packs").iterdir())) < FOLD_COUNT
    assert [bytes(cache.read(n)) for n in names] == [b"content %d" % n for n in range(FOLD_COUNT + 2)]


def test_a_reader_keeps_what_another_process_folds_away(cache: Cache) -> None:
    (name,) = _store(cache, b"early")
    reader = Cache(cache.folder, Disk())
    assert reader.has(name)
    for number in range(FOLD_COUNT + 2):
        _store(cache, b"content %d" % number)

    assert bytes(reader.read(name)) == b"early"
    reader.close()


def test_the_same_content_twice_is_kept_once(cache: Cache) -> None:
    _store_loose(cache, b"loose content")
    _store_loose(cache, b"loose content")

    assert len([f for _, _, files in os.walk(f"{cache.folder}/objects") for f in files]) == 1
    assert os.listdir(f"{cache.folder}/tmp") == []


def test_a_user_of_the_cache_is_registered_once(cache: Cache, tmp_path: Path) -> None:
    cache.register("repo", b"host = 1\n")
    place = tmp_path / "cache/users/repo.toml"
    before = place.stat().st_ino

    cache.register("repo", b"host = 1\n")

    assert place.read_bytes() == b"host = 1\n"
    assert place.stat().st_ino == before
