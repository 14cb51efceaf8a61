"""Whom damage hurts: the paths and commits that need an object, the present ones first.

Bounded: history is walked only until every object is explained, and no further than a few million
entries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from dataver.errors import DataverError
from dataver.formats.recipe import CHUNK_ABOVE
from dataver.formats.tree import Leaf
from dataver.git import ALL
from dataver.model.names import (
    CHUNK,
    ObjectName,
    Oid,
    blob_name,
    chunk_name,
    leaf_name,
    recipe_name,
    root_name,
)
from dataver.model.tree import Entry, LeafRef, Root
from dataver.ops.exchange import Selected, versions_of_commits
from dataver.repo import Repo
from dataver.transfer.wanted import Version

_MOST_ENTRIES = 4_000_000
_MOST_DESCRIBED = 50
"""Commits that are given their tags' names; each is a call of git."""


class Owner(NamedTuple):
    """Who needs an object."""

    path: bytes
    target: bytes
    blob: str
    """Git's id of a pointer that names the version; empty where that is not known."""
    oid: Oid | None
    """Of the file at *path*; None for part of a tree."""


class Structured(NamedTuple):
    """How trees are read: each function raises a DataverError for what cannot be had."""

    root: Callable[[bytes], Root]
    leaves: Callable[[Iterable[LeafRef]], Iterator[tuple[LeafRef, Leaf | DataverError]]]
    chunks: Callable[[Oid, int], Collection[Oid]]
    """The chunks of a large blob."""


def owners_of(
    repo: Repo, names: Collection[ObjectName], chosen: Selected, trees: Structured
) -> dict[ObjectName, Owner]:
    """Return who needs each of *names*: of the *chosen* versions, else of any branch's or tag's.

    What nobody is found for is left out.
    """
    search = _Search(set(names), trees)
    for versions, blobs in _versions(repo, chosen):
        for version in versions:
            if search.is_over:
                return search.found
            search.look_at(version, blobs.get((version.target, version.root_id), ""))
    return search.found


def _versions(repo: Repo, chosen: Selected) -> Iterator[tuple[list[Version], dict[tuple[bytes, bytes], str]]]:
    yield chosen.versions, chosen.blobs
    try:
        history = versions_of_commits(repo, (), None)
    except DataverError:
        return
    yield history.versions[::-1], history.blobs


class _Search:
    """One walk over versions; leaves that were looked at are not opened again."""

    def __init__(self, names: set[ObjectName], trees: Structured) -> None:
        self._names, self._trees = names, trees
        self._wants_chunks = any(name[0] == CHUNK for name in names)
        self._seen: set[bytes] = set()
        self._left = _MOST_ENTRIES
        self.found: dict[ObjectName, Owner] = {}

    @property
    def is_over(self) -> bool:
        return not self._names or self._left <= 0

    def look_at(self, version: Version, blob: str) -> None:
        tree = Owner(version.target, version.target, blob, None)
        self._take(root_name(version.root_id), tree)
        if version.root_id in self._seen:
            return
        self._seen.add(version.root_id)
        try:
            root = self._trees.root(version.root_id)
        except DataverError:
            return
        for ref in root.leaves:
            self._take(leaf_name(ref.leaf_id), tree)
        fresh = [ref for ref in root.leaves if ref.leaf_id not in self._seen]
        self._seen.update(ref.leaf_id for ref in fresh)
        for _, leaf in self._trees.leaves(fresh):
            for entry in () if isinstance(leaf, DataverError) else leaf.view:
                self._left -= 1
                if entry.oid is not None:
                    self._look_at_file(entry, entry.oid, tree._replace(path=version.shown(entry.path)))
            if self.is_over:
                return

    def _look_at_file(self, entry: Entry, oid: Oid, owner: Owner) -> None:
        owner = owner._replace(oid=oid)
        self._take(blob_name(oid), owner)
        self._take(recipe_name(oid), owner)
        if self._wants_chunks and entry.size > CHUNK_ABOVE:
            try:
                chunks = self._trees.chunks(oid, entry.size)
            except DataverError:
                return
            for chunk in chunks:
                self._take(chunk_name(chunk), owner)

    def _take(self, name: ObjectName, owner: Owner) -> None:
        if name in self._names:
            self._names.discard(name)
            self.found[name] = owner


class Commits:
    """What people call the commits that brought versions; asked of git only when there is damage."""

    def __init__(self, repo: Repo) -> None:
        self._git = repo.git
        self._first: dict[str, str] | None = None
        self._called: dict[str, str] = {}

    def of(self, blob: str) -> str:
        """Return the commit that brought the pointer *blob*; empty where none is known."""
        if self._first is None:
            try:
                self._first = {found: commit for _, found, commit in self._git.pointer_blobs([ALL])[::-1]}
            except DataverError:
                self._first = {}
        commit = self._first.get(blob, "")
        if commit and commit not in self._called:
            self._called[commit] = commit[:8]
            if len(self._called) <= _MOST_DESCRIBED:
                try:
                    self._called[commit] = self._git.describe(commit)
                except DataverError:
                    pass
        return self._called.get(commit, "")
