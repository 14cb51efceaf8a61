"""The cache part of `verify`: read what lies there, look up what versions need, heal what can be healed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from dataver.errors import DataverError, DiskFullError, Failure
from dataver.formats.redaction import Erased
from dataver.formats.tree import Leaf
from dataver.model.guarding import VerifiedPlace
from dataver.model.names import ObjectName, blob_name, leaf_name, oid_of_name, root_name
from dataver.model.tree import Entry, LeafRef
from dataver.ops.damage import CORRUPT, MISSING, Ask, Draft, Outcome, explain, names_of, object_draft
from dataver.ops.heal_cache import bring_back, find_copies
from dataver.ops.neighbours import erased_beside
from dataver.ops.whose import Owner, Structured
from dataver.parallel import Processes, worker_count
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.store.packfile import PackReader
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.transfer.cache_scrub import CacheFile, cache_files, scrub_file, set_aside
from dataver.transfer.scrubbing import Scrubbed
from dataver.transfer.wanted import Version

_PROCESSES_FROM = 64 * 1024 * 1024
"""Bytes to read from which worker processes pay."""
_AT_ONCE = 16_384
_ROUNDS = 4
"""Part of a tree that came back may show more that is missing, so often at most."""


def verify_cache(repo: Repo, ask: Ask, progress: Progress) -> Outcome:
    """Verify the cache; with `ask.repair` bring back what a sound copy is known of.

    Raises: local errors.
    """
    # Shared: gc must not take away what is being looked up; adds and fetches go on beside.
    with repo.cache_lock(shared=True, progress=progress):
        return _Verifying(repo, ask, progress).run()


class _Verifying:
    """One look at the cache."""

    def __init__(self, repo: Repo, ask: Ask, progress: Progress) -> None:
        self._repo, self._ask, self._progress = repo, ask, progress
        self._erased: Erased = erased_beside(repo)
        self._drafts: list[Draft] = []
        self._warnings: list[Failure] = []
        self._absent: set[bytes] = set()
        self._files = self._objects = self._size = self._newer = 0

    def run(self) -> Outcome:
        files, strays = cache_files(self._repo.cache_folder)
        total = sum(file.size for file in files)
        # Structure first: only whole trees say which of the other files versions need.
        structure = [f for f in files if f.oid is None and _letter(f) == "s"]
        data = [f for f in files if f not in set(structure)]
        if self._ask.is_explicit:
            self._scrub(structure)
            data = self._needed(data)
            self._scrub(self._ask.sample.of((f, f.size) for f in data))
        else:
            self._scrub(self._ask.sample.of((f, f.size) for f in files))
        claimed = [v for v in self._ask.chosen.versions if self._is_claimed(v)]
        self._drafts += self._missing(claimed)
        if self._drafts:
            explain(self._repo, self._drafts, self._ask.chosen, self._structured())
            self._heal(claimed)
        place = VerifiedPlace(
            "cache",
            files=self._files,
            objects=self._objects,
            size=self._size,
            total=total,
            versions=len(claimed),
            absent=tuple(sorted(self._absent)),
            strays=tuple(strays),
            newer=self._newer,
        )
        return Outcome(place, self._drafts, self._warnings)

    # -- reading every file -------------------------------------------------------------------

    def _scrub(self, files: Sequence[CacheFile]) -> None:
        size = sum(file.size for file in files)
        jobs = worker_count(self._ask.jobs) if size >= _PROCESSES_FROM else 1
        with self._progress.task("Verifying the cache", total=len(files), size=size) as task:
            results = Processes.map_ordered(partial(scrub_file, self._erased), files, jobs)
            for file, found in zip(files, results, strict=True):
                if found is not None:
                    self._take(file, found)
                task.advance(1, file.size)

    def _take(self, file: CacheFile, found: Scrubbed) -> None:
        self._files += 1
        self._objects += found.objects
        self._size += found.size
        self._newer += found.newer
        if not (found.bad or found.fault):
            return
        drafts = [object_draft(name, CORRUPT) for name in found.bad]
        if found.fault or not drafts:
            drafts.append(Draft(f"pack {file.path.rpartition('/')[2][2:14]}", CORRUPT, why=found.fault))
        try:
            set_aside(self._repo.cache, file, self._erased)
        except DiskFullError as error:
            self._warnings.append(error.failure())
        except DataverError:
            pass  # a cache that may only be read: reported, and read by nobody as if it were sound
        else:
            for draft in drafts:
                draft.is_quarantined = True
        self._drafts += drafts

    def _needed(self, files: Iterable[CacheFile]) -> list[CacheFile]:
        """Return those of *files* that hold content of the chosen versions, or whose table cannot be read."""
        wanted = {blob_name(e.oid) for v in self._ask.chosen.versions for _, e in self._entries(v) if e.oid}
        needed = []
        for file in files:
            if file.oid is not None:
                is_needed = blob_name(file.oid) in wanted
            else:
                is_needed = _holds_any(file.path, wanted)
            if is_needed:
                needed.append(file)
        return needed

    # -- looking up what versions need --------------------------------------------------------

    def _structured(self) -> Structured:
        trees = self._trees()

        def leaves(refs: Iterable[LeafRef]) -> Iterator[tuple[LeafRef, Leaf | DataverError]]:
            for ref in refs:
                try:
                    yield ref, trees.leaf(ref)
                except DataverError as error:
                    yield ref, error

        return Structured(trees.root, leaves, lambda oid, size: ())

    def _trees(self) -> Trees:
        return Trees(self._repo.cache, self._erased)

    def _is_claimed(self, version: Version) -> bool:
        """Tell whether this clone should have *version*: it was asked for, or was checked out here.

        What was never brought here is not missing.
        """
        if version.root_id == EMPTY_ROOT_ID:
            return False
        if self._ask.is_explicit:
            return True
        record = self._repo.records.load(version.target)
        if record is not None and record.root_id == version.root_id:
            return True
        self._absent.add(version.target)
        return False

    def _missing(self, versions: Iterable[Version]) -> list[Draft]:
        """Return a draft for each object of *versions* that the cache lacks, but for what is known."""
        known = names_of(self._drafts)
        found: dict[ObjectName, Draft] = {}
        for version in versions:
            record = None if self._ask.is_explicit else self._repo.records.load(version.target)
            away = record.missing if record is not None else frozenset()
            batch: dict[ObjectName, Owner] = {}
            for owner, entry in self._entries(version, found):
                if entry.oid is not None and entry.path not in away:
                    batch.setdefault(blob_name(entry.oid), owner._replace(oid=entry.oid))
                if len(batch) >= _AT_ONCE:
                    self._look_up(batch, found)
                    batch = {}
            self._look_up(batch, found)
        return [draft for name, draft in found.items() if name not in known]

    def _look_up(self, batch: dict[ObjectName, Owner], found: dict[ObjectName, Draft]) -> None:
        denies = self._repo.content_withholder()
        for name in self._repo.cache.missing(batch):
            if denies is None or not denies(oid_of_name(name)):
                found.setdefault(name, object_draft(name, MISSING, owner=batch[name]))

    def _entries(
        self, version: Version, found: dict[ObjectName, Draft] | None = None
    ) -> Iterator[tuple[Owner, Entry]]:
        """Yield the wanted entries of a version; structure that cannot be had goes into *found*."""
        lost = {} if found is None else found
        blob = self._ask.chosen.blobs.get((version.target, version.root_id), "")
        owner = Owner(version.target, version.target, blob, None)
        trees = self._structured()
        try:
            root = trees.root(version.root_id)
        except DataverError:
            name = root_name(version.root_id)
            lost.setdefault(name, object_draft(name, MISSING, owner=owner))
            return
        for ref, leaf in trees.leaves(root.leaves):
            if isinstance(leaf, DataverError):
                name = leaf_name(ref.leaf_id)
                lost.setdefault(name, object_draft(name, MISSING, owner=owner))
                continue
            for entry in leaf.view:
                if version.scope.matches(entry.path):
                    yield owner._replace(path=version.shown(entry.path)), entry

    # -- good copies --------------------------------------------------------------------------

    def _heal(self, claimed: Sequence[Version]) -> None:
        """Find good copies; with `repair` bring them back, and what only they show to be missing."""
        if not self._ask.repair:
            find_copies(self._repo, self._drafts, self._warnings)
            return
        for _ in range(_ROUNDS):
            bring_back(self._repo, self._drafts, self._ask.jobs, self._warnings, self._progress)
            more = self._missing(claimed)
            if not more:
                break
            self._drafts += more
        lost = set(self._repo.cache.missing(names_of(self._drafts)))
        for draft in self._drafts:
            if draft.name is not None:
                draft.is_repaired = draft.name not in lost
        is_complete = not any(d.state == MISSING and not d.is_repaired for d in self._drafts)
        for draft in self._drafts:
            if draft.name is None:
                # Its sound objects lie in a new pack; what else it held, nothing here needs.
                draft.is_repaired = draft.is_quarantined and is_complete


def _letter(file: CacheFile) -> str:
    return file.path.rpartition("/")[2][0]


def _holds_any(path: str, wanted: set[ObjectName]) -> bool:
    """Tell whether a pack holds any of *wanted*; True where its table cannot be read."""
    try:
        reader = PackReader(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not wanted.isdisjoint(reader.table().names())
    except (DataverError, OSError):
        return True
    finally:
        reader.close()
