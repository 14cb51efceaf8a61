"""What of a cache the erasure records let not stay as it is: found out, nothing changed.

Opens every leaf and root that lies there, in `packs/` and in `trash/`; of contents the names say it.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from dataver.erasure.deny import EMPTY_OIDS
from dataver.erasure.examine import Examiner, first_shown, shown_entries, telling_guide
from dataver.errors import DataverError, Failure, FormatError, HostileInputError, UnsupportedError
from dataver.formats.pack import Row
from dataver.formats.root import decode_root
from dataver.formats.tree import Leaf, Substitute, decode_leaf
from dataver.model.names import LEAF, RECIPE, ROOT, ObjectName, Oid, blob_name, root_name
from dataver.model.tree import Entry, Root
from dataver.progress import SILENT, Progress
from dataver.store.cache import Cache, CachedPack
from dataver.store.census import pack_files
from dataver.store.packfile import PackReader
from dataver.store.sweep_plan import loose_blobs
from dataver.store.trash import SetAside


@dataclass(slots=True)
class PackFinding:
    """What of one pack cannot stay."""

    gone: set[int] = field(default_factory=set)
    """Rows that go: contents, recipes, and structure that nobody can read."""
    changed: set[int] = field(default_factory=set)
    """Rows of leaves and roots that are written anew."""


@dataclass(slots=True)
class CacheFindings:
    """What a cache holds that it must not.  Sizes in bytes."""

    loose: list[tuple[Oid, int]] = field(default_factory=list)
    packs: dict[str, PackFinding] = field(default_factory=dict)
    """By path, also of packs in the trash; only those that cannot stay as they are."""
    trash: list[SetAside] = field(default_factory=list)
    """Loose blobs in the trash that go, and packs there that nobody can read."""
    gone: set[ObjectName] = field(default_factory=set)
    """Contents and recipes that go."""
    changed: set[ObjectName] = field(default_factory=set)
    """Leaves and roots of which some copy changes."""
    settled: set[ObjectName] = field(default_factory=set)
    """Redacted leaves and roots of which a copy in `packs/` may stay as it is."""
    lost: dict[bytes, list[tuple[Entry, bytes]]] = field(default_factory=dict)
    """Leaf id -> the entries that a copy of it still shows and must not, with their commitments."""
    unlinked: set[Oid] = field(default_factory=set)
    """Contents of those entries that nothing denies by themselves: they go where nothing else names them."""
    told: dict[bytes, str] = field(default_factory=dict)
    """Commitments that leaves lose and that no record names -> the erasure that denies the entry."""
    known: dict[bytes, tuple[Substitute, ...]] = field(default_factory=dict)
    """Leaf id -> substitutes that some copy of it holds."""
    firsts: dict[bytes, bytes] = field(default_factory=dict)
    """Leaf that lacks entries -> path of the first one that it still shows; empty for none."""
    held: int = 0
    """Objects that were looked at."""
    entries: int = 0
    """Entries of the leaves that were looked at."""
    listed: frozenset[str] = frozenset()
    """Names of the packs that lay in `packs/`."""
    failed: list[Failure] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.loose or self.packs or self.trash)

    @property
    def lost_contents(self) -> int:
        """How many different contents the leaves no longer show."""
        return len({entry.oid for entries in self.lost.values() for entry, _ in entries})


class _SeenRoot(NamedTuple):
    path: str
    position: int
    root: Root


def examine_cache(
    cache: Cache,
    examiner: Examiner,
    *,
    leaves: Collection[bytes] = (),
    trash: Collection[SetAside] = (),
    skip: Collection[str] = (),
    foreign: Collection[bytes] = (),
    strays: Collection[Oid] = (),
    progress: Progress = SILENT,
) -> CacheFindings:
    """Return what of *cache* and of what is set aside in its *trash* must go or change.

    *leaves* are ids that records name: a guide tells of their entries also where they are not
    here.  Packs whose names are in *skip* were found clean before; leaves whose ids are *foreign* belong
    to other repositories, whose records say what they may lack; *strays* are contents that go where
    no leaf here names them.  Raises: local errors.
    """
    found = CacheFindings(listed=frozenset(pack_files(cache.folder)))
    for leaf_id in leaves:
        found.firsts[leaf_id] = b""
    examination = _Examination(examiner, found, frozenset(foreign))
    for oid, stat in loose_blobs(cache):
        found.held += 1
        if examiner.content(oid):
            found.loose.append((oid, stat.st_size))
            found.gone.add(blob_name(oid))
    packs = [*cache.packs(structure=True), *cache.packs(structure=False)]
    named = {os.path.basename(pack.path) for pack in packs}
    for name in sorted(found.listed - named):
        found.failed.append(UnsupportedError("pack in the cache", name[2:14]).failure())
    with progress.task("Looking for what was erased", total=len(packs)) as task:
        for pack in packs:
            if os.path.basename(pack.path) not in skip:
                examination.take(pack, is_live=True)
            task.advance()
    for file in trash:
        examination.take_aside(file)
    examination.finish()
    # Not where only some packs were looked into: others may name it.
    for oid in () if skip else _unnamed(cache, examiner, frozenset(foreign), {*strays, *found.unlinked}):
        blob = blob_name(oid)
        if cache.loose.has(oid):
            found.loose.append((oid, os.path.getsize(cache.loose.path(oid))))
            found.gone.add(blob)
        found.trash += [file for file in trash if file.oid == oid]
        for pack in cache.packs(structure=False):
            if pack.table.find(blob) is not None:
                found.packs.setdefault(pack.path, PackFinding()).gone.add(pack.table.names().index(blob))
                found.gone.add(blob)
    return found


def _unnamed(cache: Cache, examiner: Examiner, foreign: frozenset[bytes], contents: set[Oid]) -> set[Oid]:
    """Return those of *contents* that no leaf of the cache names once it was cleaned."""
    left = set(contents)
    for pack in cache.packs(structure=True) if left else ():
        for row in pack.table.rows():
            if row.name[0] != LEAF:
                continue
            try:
                leaf = decode_leaf(pack.reader.read(row), row.name[2:])
            except DataverError:
                return set()  # who knows what it names
            denied = frozenset[bytes]() if leaf.leaf_id in foreign else examiner.denied_in(leaf)
            shown = (e.oid for e, c in shown_entries(leaf) if c not in denied)
            left.difference_update(oid for oid in shown if oid is not None)
    return left


class _Examination:
    """One look at a cache."""

    def __init__(self, examiner: Examiner, found: CacheFindings, foreign: frozenset[bytes]) -> None:
        self._examiner, self._found, self._foreign = examiner, found, foreign
        self._roots: list[_SeenRoot] = []
        self._live: set[str] = set()

    def take_aside(self, file: SetAside) -> None:
        """Look into a file of the trash; one that nobody can read goes."""
        oid = file.oid
        if oid is not None:
            if self._examiner.content(oid):
                self._found.trash.append(file)
                self._found.gone.add(blob_name(oid))
            return
        try:
            pack = CachedPack(file.path, PackReader(file.path))
        except FileNotFoundError:
            return
        except UnsupportedError as error:
            self._found.failed.append(error.failure())
            return
        except (DataverError, ValueError):
            self._found.trash.append(file)
            return
        try:
            self.take(pack, is_live=False)
        finally:
            pack.reader.close()

    def take(self, pack: CachedPack, *, is_live: bool) -> None:
        """Look into a pack; *is_live*: it lies in `packs/`."""
        if is_live:
            self._live.add(pack.path)
        self._found.held += pack.table.count
        if os.path.basename(pack.path).startswith("s-"):
            rows = sorted(enumerate(pack.table.rows()), key=lambda item: item[1].offset)
            for position, row in rows:
                self._structure(pack, position, row)
            return
        for position, name in enumerate(pack.table.names()):
            if self._examiner.is_gone(name):
                self._found.gone.add(name)
                self._finding(pack.path).gone.add(position)

    def _finding(self, path: str) -> PackFinding:
        return self._found.packs.setdefault(path, PackFinding())

    def _structure(self, pack: CachedPack, position: int, row: Row) -> None:
        kind = row.name[0]
        if kind == RECIPE:
            if self._examiner.is_gone(row.name):
                self._found.gone.add(row.name)
                self._finding(pack.path).gone.add(position)
            return
        if kind == LEAF and row.name[2:] in self._foreign:
            return
        try:
            data = pack.reader.read(row)
            if kind == LEAF:
                self._leaf(pack, position, row.name, decode_leaf(data, row.name[2:]))
            elif kind == ROOT:
                self._roots.append(_SeenRoot(pack.path, position, decode_root(data, row.name[2:])))
        except UnsupportedError as error:
            self._found.failed.append(error.failure())
        except (FormatError, HostileInputError):
            # What cannot be read may hold names, and is of no use to anybody.
            self._finding(pack.path).gone.add(position)

    def _leaf(self, pack: CachedPack, position: int, name: ObjectName, leaf: Leaf) -> None:
        found, examiner = self._found, self._examiner
        found.entries += leaf.count
        if leaf.substitutes:
            found.known[leaf.leaf_id] = leaf.substitutes
        denied = examiner.denied_in(leaf)
        for entry, commitment in shown_entries(leaf):
            if commitment in denied:
                if entry.oid is not None and entry.oid not in EMPTY_OIDS and not examiner.content(entry.oid):
                    found.unlinked.add(entry.oid)
                found.lost.setdefault(leaf.leaf_id, []).append((entry, commitment))
        try:
            change = examiner.redacted(leaf)
        except FormatError:
            # It lacks an entry that no record names: damage, which verify reports.  One that also
            # shows what is denied cannot stay for that.
            if denied:
                self._finding(pack.path).gone.add(position)
            return
        if change is None:
            if not leaf.key:
                found.firsts[leaf.leaf_id] = first_shown(leaf)
                if pack.path in self._live:
                    found.settled.add(name)
            return
        found.firsts[leaf.leaf_id] = first_shown(decode_leaf(change.data, leaf.leaf_id))
        found.changed.add(name)
        self._finding(pack.path).changed.add(position)
        for entry, commitment in shown_entries(leaf):
            if commitment in change.unrecorded and entry.oid is not None:
                found.told[commitment] = examiner.entry(entry.path, entry.oid)

    def finish(self) -> None:
        """Decide of the roots, now that all leaves were seen."""
        for path, position, root in self._roots:
            name = root_name(root.root_id)
            if telling_guide(root, self._found.firsts):
                self._found.changed.add(name)
                self._finding(path).changed.add(position)
            elif path in self._live:
                self._found.settled.add(name)
