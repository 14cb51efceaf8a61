"""What a remote has of some versions, object by object: nothing is taken for there because something else is.

Structure is read from the cache and where it lacks it from the remote, so that a clone without any
data can ask.  Root, leaves, blobs, recipes and the chunks that these name are each looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dataver.errors import DataverError, Failure, MissingObjectError
from dataver.formats.recipe import CHUNK_ABOVE
from dataver.formats.tree import Leaf
from dataver.model.names import ObjectName, blob_name, leaf_name, oid_of_name, root_name
from dataver.model.tree import Entry, Root
from dataver.progress import SILENT, Progress
from dataver.transfer.recipes import chunks_there, name_there
from dataver.transfer.structure import Structure
from dataver.transfer.wanted import Ends, Version

_ASK_AT_ONCE = 16_384
_MOST_PATHS = 1000


@dataclass(slots=True)
class Lack:
    """What is lacking of a version."""

    files: int = 0
    """Whose content is lacking; all of those whose part of the tree cannot be read."""
    paths: list[bytes] = field(default_factory=list)
    """Of the files, as seen from the top of the work tree; at most a thousand."""
    is_tree: bool = False
    """Whether part of the tree itself is lacking."""

    def __bool__(self) -> bool:
        return bool(self.files) or self.is_tree


@dataclass(slots=True)
class _LeafLack:
    files: int = 0
    paths: list[bytes] = field(default_factory=list)
    is_gone: bool = False

    def add(self, path: bytes) -> None:
        self.files += 1
        if len(self.paths) < _MOST_PATHS:
            self.paths.append(path)


class Holdings:
    """One look at a remote whose journal was just read."""

    def __init__(self, ends: Ends, progress: Progress = SILENT) -> None:
        self._ends = ends
        self._structure = Structure(ends)
        self._leaves: dict[bytes, _LeafLack] = {}
        self._rootless: set[bytes] = set()
        self._batch: dict[ObjectName, list[tuple[Entry, _LeafLack]]] = {}
        self._progress = progress
        self.objects = 0
        """Objects that were looked up."""
        self.failed: list[Failure] = []
        """What lies there and cannot be read."""

    def look(self, versions: Sequence[Version]) -> list[Lack]:
        """Return for each of *versions* what the remote lacks of it.  Raises: RemoteError."""
        roots = []
        with self._progress.task("looking up", total=len(versions)) as task:
            for version in versions:
                roots.append(self._walk(version))
                task.advance(1)
            self._ask()
        return [self._lack_of(v, found) for v, found in zip(versions, roots, strict=True)]

    def _walk(self, version: Version) -> Root | None:
        """Look at what is new of a version's tree; None where that is nowhere to be read."""
        if self._missing([root_name(version.root_id)]):
            self._rootless.add(version.root_id)
        try:
            root = self._structure.root(version.root_id)
        except MissingObjectError:
            return None
        except DataverError as error:
            self.failed.append(error.failure(version.target))
            return None
        fresh = {ref.leaf_id: ref for ref in root.leaves if ref.leaf_id not in self._leaves}
        gone = set(self._missing([leaf_name(leaf_id) for leaf_id in fresh]))
        for ref, leaf in self._structure.leaves(fresh.values()):
            lack = self._leaves[ref.leaf_id] = _LeafLack(is_gone=leaf_name(ref.leaf_id) in gone)
            if isinstance(leaf, MissingObjectError):
                lack.files, lack.is_gone = ref.count, True
            elif isinstance(leaf, DataverError):
                self.failed.append(leaf.failure(version.target))
            else:
                self._take(leaf, lack)
        return root

    def _take(self, leaf: Leaf, lack: _LeafLack) -> None:
        denies = self._ends.denies
        for entry in leaf.view:
            if entry.oid is None or (denies is not None and denies(entry.path, entry.oid)):
                continue
            self._batch.setdefault(name_there(entry.oid, entry.size), []).append((entry, lack))
        if len(self._batch) >= _ASK_AT_ONCE:
            self._ask()

    def _ask(self) -> None:
        batch, self._batch = self._batch, {}
        lacking = set(self._missing(list(batch)))
        large = [name for name in batch if batch[name][0][0].size > CHUNK_ABOVE]
        # A large file may also lie there whole.
        whole = [name for name in large if name in lacking]
        still = set(self._missing([blob_name(oid_of_name(name)) for name in whole]))
        lacking.difference_update(name for name in whole if blob_name(oid_of_name(name)) not in still)
        lacking |= self._incomplete({n: batch[n][0][0] for n in large if n not in set(whole)})
        for name in batch:
            if name in lacking:
                for entry, lack in batch[name]:
                    lack.add(entry.path)

    def _incomplete(self, recipes: dict[ObjectName, Entry]) -> set[ObjectName]:
        """Return those of *recipes*, all on the remote, that cannot be read or lack chunks."""
        chunks = chunks_there(self._ends, recipes)
        absent = set(self._missing(list(dict.fromkeys(c for each in chunks.values() for c in each or ()))))
        return {name for name, each in chunks.items() if each is None or not absent.isdisjoint(each)}

    def _missing(self, names: Sequence[ObjectName]) -> list[ObjectName]:
        self.objects += len(names)
        return self._ends.remote.missing(names) if names else []

    def _lack_of(self, version: Version, root: Root | None) -> Lack:
        if root is None:
            return Lack(version.files, [], is_tree=True)
        lack = Lack(is_tree=version.root_id in self._rootless)
        for leaf in (self._leaves[ref.leaf_id] for ref in root.leaves):
            lack.files += leaf.files
            lack.is_tree |= leaf.is_gone
            lack.paths += [version.shown(p) for p in leaf.paths[: _MOST_PATHS - len(lack.paths)]]
        return lack
