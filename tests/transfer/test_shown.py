"""What a remote is shown to hold is looked up now: nothing that was known an hour ago counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Clock, Disk
from dataver.errors import MissingObjectError
from dataver.formats import pack
from dataver.formats.layout import SEGMENTS_PREFIX
from dataver.model.names import BLOB, CHUNK, blob_name
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote, Surroundings
from dataver.transfer.shown import held_blobs, look_anew
from tests.transfer.workbench import new_clone, new_remote, noise, oid_of, packs_of

FILES = {b"a": b"alpha", b"large": noise(1, 9_000_000), b"z": b"omega"}
SMALL = [(oid_of(FILES[name]), len(FILES[name])) for name in (b"a", b"z")]
LARGE = [(oid_of(FILES[b"large"]), len(FILES[b"large"]))]


@pytest.fixture
def bucket(tmp_path: Path) -> MemoryBucket:
    """Return a bucket whose listings are good for an hour, to which FILES were pushed."""
    made = new_remote()
    made.listing_good_s = 3600.0
    made.page_size = 1
    here = new_clone(tmp_path / "here")
    here.push(made, here.commit(FILES))
    return made


def _opened(bucket: MemoryBucket, folder: Path) -> Remote:
    remote = Remote.open(bucket, around=Surroundings(Disk(), Clock(), str(folder)))
    remote.refresh()
    return remote


def _remove_pack(bucket: MemoryBucket, kind: int) -> None:
    for key in packs_of(bucket):
        if kind in {name[0] for name in pack.split(bucket.get(key))[0].names()}:
            bucket.delete([key])


def test_what_is_there_whole_is_held(bucket: MemoryBucket, tmp_path: Path) -> None:
    remote = _opened(bucket, tmp_path / "copies")
    look_anew(remote)

    assert set(held_blobs(remote, [*SMALL, *LARGE], 2)) == {oid for oid, _ in (*SMALL, *LARGE)}


def test_a_pack_that_vanished_since_it_was_listed_is_noticed(bucket: MemoryBucket, tmp_path: Path) -> None:
    _opened(bucket, tmp_path / "copies").lost_packs()
    _remove_pack(bucket, BLOB)
    remote = _opened(bucket, tmp_path / "copies")
    assert remote.missing([blob_name(oid) for oid, _ in SMALL]) == []

    look_anew(remote)

    assert list(held_blobs(remote, SMALL, 2)) == []


def test_a_large_file_without_one_of_its_chunks_is_not_held(bucket: MemoryBucket, tmp_path: Path) -> None:
    _remove_pack(bucket, CHUNK)
    remote = _opened(bucket, tmp_path / "copies")

    look_anew(remote)

    assert list(held_blobs(remote, LARGE, 2)) == []


def test_a_segment_that_is_gone_is_noticed_although_a_copy_is_here(
    bucket: MemoryBucket, tmp_path: Path
) -> None:
    _opened(bucket, tmp_path / "copies").lost_packs()
    bucket.delete([info.key for info in bucket.list(SEGMENTS_PREFIX)])
    remote = _opened(bucket, tmp_path / "copies")

    with pytest.raises(MissingObjectError, match="segment"):
        look_anew(remote)
