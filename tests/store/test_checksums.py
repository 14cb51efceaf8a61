"""Folder checksums: equal content, equal checksum, wherever the folder stands."""

from __future__ import annotations

from dataver.hashing import BLAKE3, digest
from dataver.model.names import oid_of_digest
from dataver.model.tree import EXECUTABLE, FILE, Entry
from dataver.store.checksums import folder_checksums


def _entry(path: bytes, content: bytes, kind: int = FILE) -> Entry:
    return Entry(path, kind, oid_of_digest(BLAKE3, digest(BLAKE3, content)), len(content))


def test_equal_folders_have_equal_checksums_anywhere() -> None:
    entries = [
        _entry(b"a/x", b"1"),
        _entry(b"b/deep/a/x", b"1"),
        _entry(b"c/x", b"2"),
        _entry(b"d/x", b"1", EXECUTABLE),
    ]

    sums = folder_checksums(entries, {b"a", b"b/deep/a", b"c", b"d"})

    assert sums[b"a"] == sums[b"b/deep/a"]
    assert len(set(sums.values())) == 3


def test_what_lies_below_counts() -> None:
    one = folder_checksums([_entry(b"a/b/x", b"1")], {b"", b"a"})
    two = folder_checksums([_entry(b"a/b/x", b"2")], {b"", b"a"})

    assert one[b""] != two[b""]
    assert one[b"a"] != two[b"a"]


def test_only_what_was_asked_for_is_given() -> None:
    assert set(folder_checksums([_entry(b"a/b/x", b"1")], {b"a"})) == {b"a"}
