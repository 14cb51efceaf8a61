"""Loose blobs: where they lie, and that a path is only taken for a blob's place where it is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.hashing import BLAKE3, XXH128, digest
from dataver.model.names import Oid, oid_of_digest
from dataver.store.loose import MANY, Loose


def _put(loose: Loose, content: bytes, algorithm: int = BLAKE3) -> Oid:
    oid = oid_of_digest(algorithm, digest(algorithm, content))
    path = Path(loose.path(oid))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return oid


@pytest.mark.parametrize("algorithm", [BLAKE3, XXH128])
def test_a_place_and_its_blob_tell_each_other(tmp_path: Path, algorithm: int) -> None:
    loose = Loose(str(tmp_path))
    oid = _put(loose, b"content", algorithm)

    assert loose.oid_of_path(loose.path(oid)) == oid
    assert loose.has(oid)
    assert loose.is_sound(oid)


@pytest.mark.parametrize("tail", ["", "x", "/../../etc", "/deeper", "Z"])
def test_another_path_is_no_place(tmp_path: Path, tail: str) -> None:
    loose = Loose(str(tmp_path))
    oid = _put(loose, b"content")

    found = loose.oid_of_path(loose.path(oid) + tail)

    assert (found == oid) == (tail == "")


def test_a_link_in_the_place_of_a_blob_is_none(tmp_path: Path) -> None:
    loose = Loose(str(tmp_path))
    oid = _put(loose, b"content")
    os.rename(loose.path(oid), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", loose.path(oid))

    assert not loose.has(oid)


def test_altered_bytes_are_not_sound(tmp_path: Path) -> None:
    loose = Loose(str(tmp_path))
    oid = _put(loose, b"content")
    Path(loose.path(oid)).write_bytes(b"tnetnoc")

    assert not loose.is_sound(oid)


def test_few_and_many_are_found_alike(tmp_path: Path) -> None:
    loose = Loose(str(tmp_path))
    here = {_put(loose, b"%d" % n) for n in range(5)}
    absent = [oid_of_digest(BLAKE3, digest(BLAKE3, b"absent %d" % n)) for n in range(MANY)]

    assert loose.present([*here]) == here
    assert loose.present([*here, *absent]) == here
