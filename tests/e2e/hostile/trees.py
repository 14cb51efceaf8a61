"""Trees that no writer of ours would make, put where a victim's clone will find them: on a remote."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataver.disk.disk import Disk
from dataver.formats.pointer import Pointer, encode_pointer
from dataver.formats.root import encode_root
from dataver.formats.tree import build_leaf
from dataver.hashing import BLAKE3, digest
from dataver.model.names import ObjectName, blob_name, leaf_name, oid_of_digest, root_name
from dataver.model.tree import FILE, SYMLINK, Entry, LeafRef
from dataver.store.folder import FolderBucket
from dataver.store.packfile import PackReader, PackWriter
from dataver.store.remote import Remote

PAYLOAD = b"#!/bin/sh\ntouch owned\n"
_KEY = b"k" * 32


def _oid(data: bytes) -> bytes:
    return oid_of_digest(BLAKE3, digest(BLAKE3, data))


def file(path: bytes) -> Entry:
    """Give an entry that no validator saw."""
    return Entry(path, FILE, _oid(PAYLOAD), len(PAYLOAD))  # type: ignore[arg-type]


def link(path: bytes, aim: bytes) -> Entry:
    return Entry(path, SYMLINK, _oid(aim), len(aim))  # type: ignore[arg-type]


def objects_of(
    leaves: Sequence[Sequence[Entry]], aims: Sequence[bytes]
) -> tuple[bytes, dict[ObjectName, bytes]]:
    """Give (root id, every object) of a tree of *leaves*, whatever they hold."""
    found: dict[ObjectName, bytes] = {}
    refs = []
    for entries in leaves:
        leaf_id, data = build_leaf(entries, lambda _: _KEY)
        found[leaf_name(leaf_id)] = data
        refs.append(LeafRef(leaf_id, len(entries)))
    root_id, data = encode_root(refs, [b""] * len(refs))
    found[root_name(root_id)] = data
    for content in (PAYLOAD, *aims):
        found[blob_name(_oid(content))] = content  # type: ignore[arg-type]
    return root_id, found


def plant(store: Path, scratch: Path, objects: Mapping[ObjectName, bytes], roots: Sequence[bytes]) -> None:
    """Push *objects* to the folder *store* as a client with bad intentions would."""
    remote = Remote.open(FolderBucket(str(store), Disk()))
    remote.refresh()
    with remote.begin("mallory", "d" * 32) as push:
        for wants_structure in (False, True):
            writer = PackWriter(Disk(), str(scratch / f"pack-{os.urandom(4).hex()}"))
            for name in sorted(objects):
                if (name[0] in (4, 5)) == wants_structure:
                    writer.add(name, objects[name])
            written = writer.close()
            with open(written.path, "rb") as opened:
                data = opened.read()
            push.add_pack(data, PackReader(written.path).table(is_own=True), len(data))
        push.commit(roots)


def pointer_to(root_id: bytes, files: int) -> bytes:
    """Give the pointer that names the tree."""
    return encode_pointer(Pointer(root_id, True, files, "22 B"))
