"""Small trees in a cache, made from path -> content, for tests of what takes objects away."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dataver.formats.root import encode_root
from dataver.formats.tree import build_leaf
from dataver.hashing import BLAKE3, digest
from dataver.model.names import RepoPath, blob_name, leaf_name, oid_of_digest, root_name
from dataver.model.tree import Entry, LeafRef
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import Trees

PACKED_BELOW = 1000


def put_tree(cache: Cache, files: Mapping[str, bytes], *, leaf_size: int = 100) -> bytes:
    """Put the tree of *files* into *cache* and return its root id; contents from 1,000 bytes on lie loose."""
    with CacheWriter(cache) as writer:
        entries = []
        for path, content in sorted(files.items()):
            oid = oid_of_digest(BLAKE3, digest(BLAKE3, content))
            entries.append(Entry(RepoPath(path.encode()), 0, oid, len(content)))
            if cache.has(blob_name(oid)):
                continue
            if len(content) < PACKED_BELOW:
                writer.add(blob_name(oid), content)
            else:
                temp = cache.temp_path()
                fd = cache.disk.create(temp)
                cache.disk.write(fd, content)
                os.close(fd)
                writer.take([], [(temp, oid)])
        refs = []
        for start in range(0, len(entries), leaf_size):
            part = entries[start : start + leaf_size]
            leaf_id, data = build_leaf(part, lambda _: bytes(32))
            writer.add(leaf_name(leaf_id), data)
            refs.append(LeafRef(leaf_id, len(part)))
        root_id, stored = encode_root(refs, [])
        writer.add(root_name(root_id), stored)
        writer.commit()
    return root_id


def contents(cache: Cache, root_id: bytes) -> dict[str, bytes]:
    """Return path -> content of a tree as the cache gives it; everything is verified."""
    return {entry.path.decode(): bytes(cache.read(name)) for name, entry in Trees(cache).blobs(root_id)}
