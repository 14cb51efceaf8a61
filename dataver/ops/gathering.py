"""The trees of a merge: from the cache, and from the remote what the cache lacks of them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Protocol

from dataver.errors import CorruptObjectError, MissingObjectError, NoRemoteError
from dataver.formats.redaction import redact
from dataver.formats.tree import decode_leaf, encode_leaf
from dataver.hashing import Buffer
from dataver.model.names import LEAF, ObjectName, leaf_name
from dataver.model.tree import LeafRef
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import Trees


class _Structure(Protocol):
    """What is asked of `transfer.structure.Structure`."""

    def read(self, name: ObjectName) -> Buffer: ...

    def prefetch(self, names: Sequence[ObjectName]) -> None: ...


class TreeSource:
    """Roots and leaves from the cache, and from the remote what it lacks.

    Git has no other way to let a fresh clone merge: it calls the driver, and takes a conflict for
    an answer.  What came is verified, and kept in the cache.
    """

    def __init__(self, repo: Repo, writer: CacheWriter, *, is_online: bool) -> None:
        self._repo, self._writer, self._is_online = repo, writer, is_online
        self._structure: _Structure | None = None

    def read(self, name: ObjectName) -> Buffer:
        """Raises: MissingObjectError, CorruptObjectError, RemoteError and its kin."""
        try:
            return self._repo.cache.read(name)
        except (MissingObjectError, CorruptObjectError):
            structure = self._remote()
            if structure is None:
                raise
            return structure.read(name)

    def ahead(self, names: Iterable[ObjectName]) -> None:
        """Read from the remote at once those of *names* that the cache lacks."""
        lacking = self._repo.cache.missing(list(dict.fromkeys(names)))
        structure = self._remote() if lacking else None
        if structure is not None:
            structure.prefetch(lacking)

    def _remote(self) -> _Structure | None:
        if self._structure is None and self._is_online:
            # The libraries of remotes: most merges do without.
            from dataver.ops.exchange import ends_of, meet
            from dataver.transfer.structure import Structure

            try:
                remote = meet(self._repo, self._repo.remote_name())
            except NoRemoteError:
                return None
            self._structure = Structure(ends_of(self._repo, remote, None), self._keep)
        return self._structure

    def _keep(self, name: ObjectName, data: Buffer) -> None:
        """Put what came into the cache, without what is erased."""
        if name[0] == LEAF and self._repo.trees.erased:
            data = encode_leaf(redact(decode_leaf(data, name[2:]), self._repo.trees.erased))
        self._writer.add(name, data)


def leaves_around(trees: Trees, root_id: bytes, paths: Iterable[bytes]) -> list[ObjectName]:
    """Return the leaves that a change of *paths* opens, as far as the guide tells."""
    root = trees.root(root_id)
    if not root.leaves or not root.guide:
        return []
    wanted: dict[ObjectName, None] = {}
    for path in paths:
        at = max(bisect.bisect_right(root.guide, path) - 1, 0)
        wanted.update((leaf_name(ref.leaf_id), None) for ref in root.leaves[max(at - 1, 0) : at + 2])
    return list(wanted)


def unshared_leaves(trees: Trees, old: bytes, new: bytes) -> list[LeafRef]:
    olds, news = trees.root(old).leaves, trees.root(new).leaves
    shared = {r.leaf_id for r in olds} & {r.leaf_id for r in news}
    return [r for r in (*olds, *news) if r.leaf_id not in shared]
