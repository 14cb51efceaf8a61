"""Every version of every dataset that is known here, and every leaf of them, for an erasure to look into.

Also the leaves that no commit names: those that a remote or the cache holds all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dataver.erasure.eraser import Eraser
from dataver.erasure.unlisted import unlisted_leaves
from dataver.errors import DataverError, FormatError, show_path
from dataver.formats.pointer import decode_pointer, is_pointer_path, target_of
from dataver.formats.redaction import redact
from dataver.formats.tree import Leaf, decode_leaf
from dataver.git.reach import KeptByGit
from dataver.hashing import Buffer
from dataver.model.names import LEAF, ObjectName, leaf_name
from dataver.model.tree import LeafRef, Root
from dataver.ops.exchange import ends_of
from dataver.ops.neighbours import leaves_of_neighbours
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.transfer.orders import read_sound
from dataver.transfer.structure import Structure
from dataver.transfer.verify import UNREADABLE

_WINDOW = 64


class Dataset(NamedTuple):
    """One version of a tracked file or folder."""

    target: bytes
    root_id: bytes
    is_folder: bool

    def shown(self, path: bytes) -> bytes:
        """Return what people call the entry *path* of its tree."""
        return self.target + b"/" + path if self.is_folder else self.target


@dataclass(slots=True)
class Versions:
    """The versions of a repository, and where their leaves are."""

    datasets: list[Dataset] = field(default_factory=list)
    blobs: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """Git's id of a pointer -> (its target, number of the dataset)."""
    leaves: dict[LeafRef, list[int]] = field(default_factory=dict)
    """Leaf -> numbers of the datasets that have it."""
    unnamed: list[bytes] = field(default_factory=list)
    """Leaves that a remote or the cache holds and no commit names."""
    unread: list[tuple[bytes, str]] = field(default_factory=list)
    """(path, why): versions that cannot be opened anywhere."""


def find_datasets(repo: Repo) -> Versions:
    """Return every version that Git keeps in this repository, none of them opened.

    Raises: GitCommandError, UnprovenError.
    """
    found = Versions()
    kept = KeptByGit(repo.place.common_dir, repo.top)
    where: dict[str, bytes] = {}
    for pointer in kept.pointers():
        if is_pointer_path(pointer.path):
            where.setdefault(pointer.blob, target_of(pointer.path))
    known: dict[Dataset, int] = {}
    for blob, data in zip(where, kept.read(list(where)), strict=True):
        target = where[blob]
        try:
            if isinstance(data, DataverError):
                raise data
            decoded = decode_pointer(data, show_path(target))
        except DataverError as error:
            if not isinstance(error, FormatError):
                found.unread.append((target, error.message))
            continue
        dataset = Dataset(target, decoded.root_id, decoded.is_folder)
        found.blobs[blob] = target, known.setdefault(dataset, len(known))
    for here in repo.targets():
        for root_id in _roots_here(repo, here.path, here.pointer.root_id if here.pointer else b""):
            is_folder = here.pointer is None or here.pointer.is_folder
            known.setdefault(Dataset(here.path, root_id, is_folder), len(known))
    found.datasets = list(known)
    return found


def find_versions(repo: Repo, places: Sequence[Remote], *, progress: Progress = SILENT) -> Versions:
    """Return every version that Git keeps in this repository, opened as far as any of *places* has it.

    Raises: GitCommandError, UnprovenError; RemoteError.
    """
    found = find_datasets(repo)
    reader = Reader(repo, places)
    with progress.task("Opening versions", total=len(found.datasets)) as task:
        for number, dataset in enumerate(found.datasets):
            root = reader.root(dataset.root_id)
            if isinstance(root, DataverError):
                found.unread.append((dataset.target, root.message))
            for ref in () if isinstance(root, DataverError) else root.leaves:
                found.leaves.setdefault(ref, []).append(number)
            task.advance()
    found.unnamed = reader.others({ref.leaf_id for ref in found.leaves})
    return found


def _roots_here(repo: Repo, target: bytes, present: bytes) -> Iterable[bytes]:
    """Return the trees that a target's pointer on disk and its record name."""
    record = repo.records.load(target)
    roots = {present, record.root_id if record else b"", record.beside if record else b""}
    return sorted(roots - {b"", EMPTY_ROOT_ID})


class Reader:
    """Trees from the cache, and from whichever remote has what it lacks."""

    def __init__(self, repo: Repo, places: Sequence[Remote]) -> None:
        self._repo, self._places = repo, places
        self._aside: dict[bytes, bytes] = {}
        """Leaf id -> bytes of leaves that no segment lists."""
        self._sources: list[Structure | Trees] = [
            *(Structure(ends_of(repo, place, None)) for place in places),
        ] or [Trees(repo.cache, repo.trees.erased)]

    def root(self, root_id: bytes) -> Root | DataverError:
        """Return a root, or why it cannot be had anywhere."""
        error: DataverError | None = None
        for source in self._sources:
            try:
                return source.root(root_id)
            except UNREADABLE as found:
                error = found
        assert error is not None
        return error

    def leaves(self, refs: Iterable[LeafRef]) -> Iterator[tuple[LeafRef, Leaf | DataverError]]:
        """Yield *refs* with their leaves as readers see them, or why one cannot be had."""
        window: list[LeafRef] = []
        for ref in refs:
            window.append(ref)
            if len(window) == _WINDOW:
                yield from self._window(window)
                window = []
        yield from self._window(window)

    def _window(self, refs: Sequence[LeafRef]) -> Iterator[tuple[LeafRef, Leaf | DataverError]]:
        first = self._sources[0]
        if isinstance(first, Structure) and refs:
            first.prefetch([leaf_name(ref.leaf_id) for ref in refs])
        for ref in refs:
            error: DataverError | None = None
            for source in self._sources:
                try:
                    leaf = source.leaf(ref)
                    break
                except UNREADABLE as found:
                    error = found
            else:
                assert error is not None
                yield ref, error
                continue
            yield ref, leaf

    def others(self, known: set[bytes]) -> list[bytes]:
        """Return the leaves of the cache and of the remotes that are not among *known*."""
        found: dict[bytes, None] = {}
        passed = known | leaves_of_neighbours(self._repo)
        for cached in self._repo.cache.packs(structure=True):
            found.update((n[2:], None) for n in cached.table.names() if n[0] == LEAF and n[2:] not in passed)
        for place in self._places:
            for name in place.names_of_kind(LEAF):
                if name[2:] not in known:
                    found[bytes(name[2:])] = None
        return list(found)

    def take_unlisted(self, remote: Remote, eraser: Eraser, known: Collection[bytes]) -> list[bytes]:
        """Read the leaves in packs of *remote* that no segment lists, all their versions; return their ids.

        Such a pack is of a push that broke, or a `gc` took it away from a bucket that keeps old versions.
        """
        found = [(leaf_id, data) for leaf_id, data in unlisted_leaves(remote, eraser) if leaf_id not in known]
        self._aside.update(found)
        return [leaf_id for leaf_id, _ in found]

    def unnamed(self, ids: Sequence[bytes]) -> Iterator[Leaf]:
        """Yield the leaves *ids* as readers see them; one that cannot be read is passed over.

        What is passed over is looked into again when stores are rewritten, and named there.
        """
        erased = self._repo.trees.erased
        for start in range(0, len(ids), _WINDOW):
            names = [leaf_name(leaf_id) for leaf_id in ids[start : start + _WINDOW]]
            for name, data in self._contents(names):
                try:
                    yield redact(decode_leaf(data, name[2:]), erased)
                except UNREADABLE:
                    continue

    def _contents(self, names: Sequence[ObjectName]) -> Iterator[tuple[ObjectName, Buffer]]:
        aside = {name for name in names if name[2:] in self._aside}
        for name in aside:
            yield name, self._aside[name[2:]]
        lacking = set(self._repo.cache.missing(names)) - aside
        for name in names:
            if name in aside:
                continue
            if name not in lacking:
                try:
                    yield name, self._repo.cache.read(name)
                except UNREADABLE:
                    lacking.add(name)
        for place in self._places:
            for found in read_sound(place, sorted(lacking), self._repo.config.jobs) if lacking else ():
                for name, data in found:
                    lacking.discard(name)
                    yield name, data
