"""What of some versions a remote lacks: roots, then leaves, then content, each asked only where needed.

Leaves that a complete root on the remote has are complete and not opened.  Every other leaf is
opened and each of its objects asked for: that a leaf is on the remote proves nothing of its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dataver.errors import (
    CorruptObjectError,
    DataverError,
    Failure,
    IntegrityError,
    MissingObjectError,
    erased_warning,
    show_path,
)
from dataver.formats.recipe import CHUNK_ABOVE
from dataver.formats.redaction import Erased, redact
from dataver.formats.root import encode_root
from dataver.formats.tree import Leaf, encode_leaf
from dataver.model.names import (
    BLOB,
    ObjectName,
    Oid,
    StructureId,
    blob_name,
    leaf_name,
    oid_of_name,
    recipe_name,
    root_name,
)
from dataver.model.tree import Entry, LeafRef, Root
from dataver.transfer.outgoing import Outgoing
from dataver.transfer.pack_up import Lacks
from dataver.transfer.recipes import chunks_there, name_there
from dataver.transfer.structure import Structure
from dataver.transfer.verify import UNREADABLE
from dataver.transfer.wanted import Ends, Version, corrupt_failure, missing_failure

_ASK_AT_ONCE = 16_384
_MOST_COMPLETE_ROOTS = 64

Write = Callable[[ObjectName, bytes], None]
"""Takes structure to be sent."""


@dataclass(slots=True)
class Surveyed:
    """What a survey found."""

    outgoing: Outgoing
    roots: dict[bytes, Root] = field(default_factory=dict)
    """Those whose leaves could all be opened."""
    files: int = 0
    size: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    bad: dict[ObjectName, bool] = field(default_factory=dict)
    """Content that is neither in the cache nor on the remote."""
    redacted: dict[StructureId, set[bytes]] = field(default_factory=dict)
    """Leaf -> commitments of denied entries that were left out."""


def complete_leaves(ends: Ends, versions: Sequence[Version]) -> set[bytes]:
    """Return the ids of leaves of which surely everything is on the remote."""
    wanted = {v.root_id for v in versions}
    named = sorted(ends.remote.roots().items(), key=lambda item: -item[1].time_s)
    names = [root_name(root) for root, _ in named if root not in wanted][:_MOST_COMPLETE_ROOTS]
    lacking = set(ends.cache.missing(names))
    here = [name for name in names if name not in lacking]
    structure = Structure(ends)
    found: set[bytes] = set()
    for name in ends.remote.complete_roots(here) if here else ():
        try:
            found.update(ref.leaf_id for ref in structure.root(name[2:]).leaves)
        except UNREADABLE:
            continue
    return found


class Survey:
    """One walk over the versions to push."""

    def __init__(self, ends: Ends, lacks: Lacks, write: Write) -> None:
        self._ends, self._lacks, self._write = ends, lacks, write
        self._structure = Structure(ends)
        self._batch: dict[ObjectName, Entry] = {}
        self._where: list[tuple[Version, Entry]] = []
        self._leaves: dict[bytes, tuple[int, int]] = {}
        """Files and bytes of each leaf that was opened."""
        self._skipped: set[bytes] = set()
        self.found = Surveyed(Outgoing(ends.cache))

    def run(self, versions: Sequence[Version]) -> Surveyed:
        """Walk *versions*, of which the remote has no complete root."""
        self._skipped = complete_leaves(self._ends, versions)
        for version in versions:
            self._walk(version)
        self._ask()
        return self.found

    def _walk(self, version: Version) -> None:
        try:
            root = self._structure.root(version.root_id)
        except UNREADABLE as error:
            self.found.failed.append(_tree_failure(version, error))
            return
        is_whole = True
        for _, leaf in self._structure.leaves(self._fresh(root)):
            if isinstance(leaf, DataverError):
                self.found.failed.append(_tree_failure(version, leaf))
                is_whole = False
            else:
                self._take(version, leaf)
        if is_whole:
            self.found.roots[root.root_id] = root
        self._count(version, root)

    def _fresh(self, root: Root) -> Iterator[LeafRef]:
        """Yield the leaves to open, after asking at once which of them the remote lacks."""
        fresh = [r for r in root.leaves if r.leaf_id not in self._skipped and r.leaf_id not in self._leaves]
        self._lacking = set(self._lacks([leaf_name(ref.leaf_id) for ref in fresh]))
        yield from fresh

    def _take(self, version: Version, leaf: Leaf) -> None:
        seen = self._without_denied(version, leaf)
        if leaf_name(leaf.leaf_id) in self._lacking or seen is not leaf:
            self._write(leaf_name(leaf.leaf_id), encode_leaf(seen))
            self._tell(seen)
        files = [e for e in seen.view if e.oid is not None]
        self._leaves[leaf.leaf_id] = len(files), sum(e.size for e in files)
        for entry in files:
            assert entry.oid is not None
            self._batch.setdefault(name_there(entry.oid, entry.size), entry)
        if len(self._batch) >= _ASK_AT_ONCE:
            self._ask()

    def _count(self, version: Version, root: Root) -> None:
        """Count the files of a version: exactly where every leaf was opened, else as its pointer says."""
        opened = [self._leaves.get(ref.leaf_id) for ref in root.leaves]
        known = [counts for counts in opened if counts is not None]
        if len(known) == len(opened):
            self.found.files += sum(files for files, _ in known)
            self.found.size += sum(size for _, size in known)
        else:
            self.found.files += version.files
            self.found.size += version.size

    def _without_denied(self, version: Version, leaf: Leaf) -> Leaf:
        """Return *leaf* without entries whose content was erased and must not come back."""
        denies = self._ends.denies
        if denies is None:
            return leaf
        gone: set[bytes] = set()
        for entry, commitment in zip(leaf.entries, leaf.commitments, strict=True):
            erasure = denies(entry.path, entry.oid) if entry.oid is not None else ""
            if erasure:
                gone.add(commitment)
                self.found.warnings.append(erased_warning(version.shown(entry.path), erasure))
        if not gone:
            return leaf
        self.found.redacted.setdefault(StructureId(leaf.leaf_id), set()).update(gone)
        erased = self._ends.erased
        return redact(leaf, Erased(erased.entries | gone, erased.substitutes, erased.told))

    def _tell(self, leaf: Leaf) -> None:
        """Report the entries that *leaf* lacks and that nobody but this clone knows to be erased."""
        erased, told = self._ends.erased, self._ends.remote.told()
        unknown = {
            c for c in leaf.erased if not (c in erased.entries or c in erased.substitutes or c in told)
        }
        if unknown:
            self.found.redacted.setdefault(StructureId(leaf.leaf_id), set()).update(unknown)

    # -- content ------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Find out which of the gathered files the remote lacks, and where the cache has them."""
        batch, self._batch = self._batch, {}
        lacking = set(self._lacks(list(batch)))
        wanted = {
            name if name[0] == BLOB else blob_name(oid_of_name(name)): entry
            for name, entry in batch.items()
            if name in lacking
        }
        present = {n: batch[n] for n in batch if n not in lacking and batch[n].size > CHUNK_ABOVE}
        for oid in self._incomplete(present):
            entry = present[recipe_name(oid)]
            wanted[blob_name(oid)] = entry
        for name in self.found.outgoing.take(wanted):
            self.found.bad[name] = False

    def _incomplete(self, present: dict[ObjectName, Entry]) -> list[Oid]:
        """Return the large blobs whose recipe is on the remote while chunks of it are not."""
        return [
            oid_of_name(name)
            for name, chunks in chunks_there(self._ends, present).items()
            if chunks is None or self._lacks(sorted(set(chunks)))
        ]

    # -- what cannot be sent ------------------------------------------------------------------

    def failures(self, versions: Iterable[Version], bad: dict[ObjectName, bool]) -> list[Failure]:
        """Return a failure for each path whose content is *bad*, and take its roots for incomplete."""
        failed: dict[bytes, Failure] = {}
        for version in versions:
            try:
                root = self._structure.root(version.root_id)
            except DataverError:
                continue
            refs = [ref for ref in root.leaves if ref.leaf_id in self._leaves]
            for _, leaf in self._structure.leaves(refs):
                for entry in () if isinstance(leaf, DataverError) else leaf.view:
                    is_corrupt = None if entry.oid is None else bad.get(blob_name(entry.oid))
                    if is_corrupt is None:
                        continue
                    self.found.roots.pop(version.root_id, None)
                    shown = version.shown(entry.path)
                    if is_corrupt:
                        failed.setdefault(shown, corrupt_failure(shown, "the cache"))
                    else:
                        failed.setdefault(shown, missing_failure(shown, "the cache nor on the remote"))
        return list(failed.values())


def root_objects(roots: Iterable[Root]) -> Iterator[tuple[ObjectName, bytes]]:
    """Yield roots as objects."""
    for root in roots:
        yield root_name(root.root_id), encode_root(root.leaves, root.guide)[1]


def _tree_failure(version: Version, error: DataverError) -> Failure:
    """Return that part of a tree cannot be opened: the paths in it are not known."""
    what = f"part of the tree of {show_path(version.target)}"
    if isinstance(error, MissingObjectError):
        return MissingObjectError(what, "the cache nor on the remote").failure(version.target)
    if isinstance(error, IntegrityError):
        return CorruptObjectError(what, "the cache").failure(version.target)
    return error.failure(version.target)._replace(message=f"{what}: {error.message}")
