"""Fetch: what the cache lacks of the wanted versions comes from a remote, verified, in batches.

The order: structure as it is walked, then small objects pack by pack, then large files one by one.
What cannot be had is listed by path and the others go on.

Longer than 300 lines because the stages share one state: what was found, what came, what is bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dataver.disk.claims import Claims
from dataver.disk.space import check_space
from dataver.errors import (
    CorruptObjectError,
    DataverError,
    Failure,
    FormatError,
    IntegrityError,
    MissingObjectError,
    erased_warning,
    show_path,
)
from dataver.formats.recipe import CHUNK_ABOVE, Recipe, decode_recipe
from dataver.model.names import ObjectName, Oid, StructureId, blob_name, leaf_name, oid_of_name, recipe_name
from dataver.model.tree import Entry
from dataver.progress import SILENT, Progress, Task
from dataver.transfer.assemble import RUN_SIZE, assemble, pieces_of
from dataver.transfer.costs import requests_of, requests_to_read
from dataver.transfer.intake import Intake
from dataver.transfer.orders import Order, Places, find_elsewhere, read_sound
from dataver.transfer.structure import Structure
from dataver.transfer.turns import Turns
from dataver.transfer.verify import UNREADABLE
from dataver.transfer.wanted import Ends, Version, corrupt_failure, missing_failure

_MOST_PLACES = 1_000_000
"""Small objects looked up before they are read."""
_FIND_AT_ONCE = 16_384
NOWHERE = "the cache nor on the remote"


@dataclass(slots=True)
class Received:
    """What a fetch did, or with a dry run would do."""

    files: int = 0
    size: int = 0
    objects: int = 0
    packs: int = 0
    received: int = 0
    """Bytes of objects that came, or would come."""
    requests: int = 0
    """With a dry run: requests that would read them, beside those that the dry run took."""
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    """Files that an erasure forbids: they are not fetched."""
    matched: set[int] = field(default_factory=set)
    """Positions of the versions that have a wanted path, or may have."""


def receive(
    ends: Ends,
    versions: Sequence[Version],
    *,
    dry_run: bool = False,
    claims: Claims | None = None,
    progress: Progress = SILENT,
) -> Received:
    """Bring what the cache lacks of *versions*; with *claims* beside other fetches, each pack once.

    Raises: RemoteError where the remote cannot be reached, DiskFullError before anything is read,
    LockTimeoutError.
    """
    with Intake(ends.cache, ends.disk) as intake:
        return _Receiving(ends, Turns(ends, intake, claims), intake, progress, dry_run=dry_run).run(versions)


class _Receiving:
    """One fetch under way."""

    def __init__(
        self, ends: Ends, turns: Turns, intake: Intake, progress: Progress, *, dry_run: bool
    ) -> None:
        self._ends, self._turns, self._intake, self._progress = ends, turns, intake, progress
        self._dry_run = dry_run
        self._structure = Structure(ends, None if dry_run else intake.add)
        self._done = Received()
        self._batch: list[tuple[Version, Entry]] = []
        self._small = Places()
        self._large: dict[Oid, int] = {}
        self._bad: dict[ObjectName, bool] = {}
        """Objects that could not be had: True for those that are corrupt, False for missing ones."""
        self._leaves: dict[bytes, tuple[int, int]] = {}
        """Files and bytes of each leaf that was looked at whole."""

    def run(self, versions: Sequence[Version]) -> Received:
        for number, version in enumerate(versions):
            for entries in self._entries(version):
                if entries:
                    self._done.matched.add(number)
                if isinstance(entries, DataverError):
                    self._done.failed.append(_tree_failure(version, entries))
                else:
                    self._take(version, entries)
        self._look_up()
        self._read_small()
        self._read_large()
        self._done.objects += self._structure.received
        if self._bad:
            self._intake.publish()
            self._done.failed += self._failures(versions)
        return self._done

    # -- what is wanted -----------------------------------------------------------------------

    def _entries(self, version: Version) -> Iterator[list[Entry] | DataverError]:
        """Yield the wanted entries of a version; leaves seen before are only counted."""
        try:
            root = self._structure.root(version.root_id)
        except UNREADABLE as error:
            yield error
            return
        if version.scope:
            yield from self._structure.views(root, version.scope)
            return
        known = [self._leaves[ref.leaf_id] for ref in root.leaves if ref.leaf_id in self._leaves]
        self._done.files += sum(files for files, _ in known)
        self._done.size += sum(size for _, size in known)
        fresh = [ref for ref in root.leaves if ref.leaf_id not in self._leaves]
        lacking = set(self._ends.cache.missing([leaf_name(ref.leaf_id) for ref in fresh]))
        if 2 * len(lacking) > len(fresh):
            # Most of it is new here: so is most of what its leaves name.
            self._ends.remote.expect(sum(ref.count for ref in fresh))
        for ref, leaf in self._structure.leaves(fresh):
            if isinstance(leaf, DataverError):
                yield leaf
                continue
            files = [e for e in leaf.view if e.oid is not None]
            self._leaves[ref.leaf_id] = len(files), sum(e.size for e in files)
            yield leaf.view

    def _take(self, version: Version, entries: Sequence[Entry]) -> None:
        files = [(version, e) for e in entries if e.oid is not None and not self._is_denied(version, e)]
        self._done.files += len(files)
        self._done.size += sum(e.size for _, e in files)
        self._batch += files
        if len(self._batch) >= _FIND_AT_ONCE:
            self._look_up()
            if self._small.count >= _MOST_PLACES:
                self._read_small()

    def _is_denied(self, version: Version, entry: Entry) -> bool:
        denies = self._ends.denies
        erasure = denies(entry.path, entry.oid) if denies is not None and entry.oid is not None else ""
        if erasure:
            self._done.warnings.append(erased_warning(version.shown(entry.path), erasure))
        return bool(erasure)

    def _look_up(self) -> None:
        """Find out which of the gathered files the cache lacks, and where they lie."""
        batch, self._batch = self._batch, []
        named = {blob_name(e.oid): (v, e) for v, e in batch if e.oid is not None}
        lacking = self._ends.cache.missing(list(named))
        small = []
        for name in lacking:
            entry = named[name][1]
            if entry.size > CHUNK_ABOVE:
                self._large[oid_of_name(name)] = entry.size
            else:
                small.append(name)
        places = self._ends.remote.find(small) if small else {}
        for name in small:
            place = places.get(name)
            if place is None:
                self._bad[name] = False
            else:
                self._small.add(name, place)

    # -- small objects ------------------------------------------------------------------------

    def _read_small(self) -> None:
        """Read what was found so far, pack by pack; what a damaged pack holds is sought in others."""
        for is_last in (False, True):
            places, self._small = self._small, Places()
            if not places.count:
                return
            orders = places.orders(self._ends.remote.pack_sizes())
            if self._dry_run:
                for order in orders:
                    self._count(1, len(order.wanted), sum(one.stored for one in order.wanted))
                    self._done.requests += requests_of(order)
                return
            check_space(self._ends.cache.folder, places.raw + sum(self._large.values()))
            with self._progress.task("Fetching", total=places.count, size=places.raw) as task:
                damaged, bad = self._unpack(orders, task)
            found = find_elsewhere(self._ends.remote, bad, damaged) if bad and not is_last else {}
            for name, is_corrupt in bad.items():
                if name in found:
                    self._small.add(name, found[name])
                else:
                    self._bad[name] = is_corrupt

    def _unpack(self, orders: Iterable[Order], task: Task) -> tuple[set[StructureId], dict[ObjectName, bool]]:
        """Bring *orders* into the cache; return the packs that proved damaged and what they lack."""
        damaged: set[StructureId] = set()
        bad: dict[ObjectName, bool] = {}
        for arrived in self._turns.unpack(orders):
            if arrived.pack is not None:
                self._intake.take_pack(arrived.pack)
            for path, oid, size in arrived.blobs:
                self._intake.take_blob(path, oid, size)
            self._count(1, arrived.good, arrived.size)
            task.advance(arrived.good, arrived.size)
            if arrived.missing or arrived.corrupt:
                damaged.add(arrived.pack_id)
                bad.update(dict.fromkeys(arrived.missing, False))
                bad.update(dict.fromkeys(arrived.corrupt, True))
        return damaged, bad

    def _count(self, packs: int, objects: int, size: int) -> None:
        self._done.packs += packs
        self._done.objects += objects
        self._done.received += size

    # -- large files --------------------------------------------------------------------------

    def _read_large(self) -> None:
        if not self._large:
            return
        large, self._large = self._large, {}
        if not self._dry_run:
            check_space(self._ends.cache.folder, sum(large.values()))
        with self._progress.task("Fetching large files", total=len(large), size=sum(large.values())) as task:
            recipes = self._recipes(large)
            for oid, recipe in recipes if self._dry_run else self._turns.large(recipes):
                self._read_one(oid, recipe)
                task.advance(1, recipe.size)

    def _recipes(self, large: dict[Oid, int]) -> Iterator[tuple[Oid, Recipe]]:
        """Yield the recipes of *large* (with their sizes), from the cache or the remote."""
        lacking = set(self._ends.cache.missing([recipe_name(oid) for oid in large]))
        for oid, size in large.items():
            if recipe_name(oid) not in lacking:
                try:
                    yield oid, decode_recipe(self._ends.cache.read(recipe_name(oid)), size)
                except (CorruptObjectError, MissingObjectError, FormatError):
                    self._ends.cache.quarantine(recipe_name(oid))
                    lacking.add(recipe_name(oid))
        for found in read_sound(self._ends.remote, lacking, self._ends.jobs):
            for name, data in found:
                oid = oid_of_name(name)
                try:
                    recipe = decode_recipe(data, large[oid])
                except FormatError:
                    self._bad[blob_name(oid)] = True
                    continue
                if not self._dry_run:
                    self._intake.add(name, data)
                self._count(0, 1, len(data))
                lacking.discard(name)
                yield oid, recipe
        for name in lacking:
            self._bad.setdefault(blob_name(oid_of_name(name)), False)

    def _read_one(self, oid: Oid, recipe: Recipe) -> None:
        if self._dry_run:
            places = [p.place for p in pieces_of(self._ends, recipe) if p.place is not None]
            self._count(0, len(places), sum(place.stored for place in places))
            ranges = ((place.pack_id, place.offset, place.stored) for place in places)
            self._done.requests += requests_to_read(ranges, RUN_SIZE)
            return
        try:
            made = assemble(self._ends, oid, recipe)
        except MissingObjectError:
            self._bad[blob_name(oid)] = False
        except CorruptObjectError:
            self._bad[blob_name(oid)] = True
        else:
            self._intake.take_blob(made.path, oid, recipe.size)
            self._count(made.packs, made.chunks, recipe.size)

    # -- what could not be had ----------------------------------------------------------------

    def _failures(self, versions: Iterable[Version]) -> list[Failure]:
        """Return a failure for each path whose content could not be had."""
        failed: dict[bytes, Failure] = {}
        self._leaves.clear()
        files, size = self._done.files, self._done.size
        for version in versions:
            for entries in self._entries(version):
                if isinstance(entries, DataverError):
                    continue
                for entry in entries:
                    is_corrupt = None if entry.oid is None else self._bad.get(blob_name(entry.oid))
                    if is_corrupt is None:
                        continue
                    shown = version.shown(entry.path)
                    make = corrupt_failure if is_corrupt else missing_failure
                    failed.setdefault(shown, make(shown, "the remote" if is_corrupt else NOWHERE))
        self._done.files, self._done.size = files, size
        return list(failed.values())


def _tree_failure(version: Version, error: DataverError) -> Failure:
    """Return that part of a tree could not be had: the paths in it are not known."""
    what = f"part of the tree of {show_path(version.target)}"
    if isinstance(error, MissingObjectError):
        return MissingObjectError(what, NOWHERE).failure(version.target)
    if isinstance(error, IntegrityError):
        return CorruptObjectError(what, "the remote").failure(version.target)
    return error.failure(version.target)._replace(message=f"{what}: {error.message}")
