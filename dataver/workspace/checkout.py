"""Bring one target on disk to a tree: plan from what differs, then apply.

The plan is pure and made before anything is touched; it is refused as a whole where content
would be lost.  Deletions come first (a file may stand where a folder has to be), then writes in
path order, then what is remembered: the record before the index, since only the record is truth.

Longer than 300 lines because what was planned, done and remembered share what was known before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from dataver.disk.atomic import make_folders
from dataver.disk.link import LinkType
from dataver.errors import (
    FormatError,
    LocalIOError,
    MissingObjectError,
    WouldOverwriteError,
    local_error,
    show_path,
)
from dataver.index.columns import Folder
from dataver.model.diff import Change
from dataver.model.names import Oid, blob_name, folders_of, is_below
from dataver.model.plan import CheckoutPlan, plan_checkout
from dataver.model.tree import EMPTY_FOLDER, SINGLE_FILE_PATH, Entry
from dataver.parallel import Processes, worker_count
from dataver.progress import Progress
from dataver.store.trees import Trees
from dataver.workspace.clearing import Clearing, Desired, Outcome
from dataver.workspace.compare import Comparer
from dataver.workspace.just_written import JustWritten
from dataver.workspace.placing import Placed, Placement, place_batch
from dataver.workspace.presence import note_complete
from dataver.workspace.record import Record
from dataver.workspace.room import check_room_to_write
from dataver.workspace.scan import scan
from dataver.workspace.snapshot import distrust_racy
from dataver.workspace.sparse import Sparse
from dataver.workspace.workspace import Look, Tracked, Workspace

BATCH_FILES = 2_000
BATCH_SIZE = 64 * 1024 * 1024
PARALLEL_FROM = 4_000
_SAMPLED = 1_000
"""Entries that are looked at to know whether the files of a version take room."""


class Checkout:
    """The checkout of one target."""

    def __init__(
        self,
        workspace: Workspace,
        trees: Trees,
        look: Look,
        desired: Desired,
        *,
        links: Sequence[LinkType],
        denies: Callable[[bytes, Oid], str] | None,
        erased: Callable[[Oid], str] | None,
        trash: str,
        force: bool,
        jobs: int,
        progress: Progress,
    ) -> None:
        """*look* has no fresh rows left to hash; *trash* is the folder for what `force` replaces.

        *denies* names what forbids content to be written, at a path; *erased* what says that it is to go.
        """
        self._workspace, self._trees, self._look, self._desired = workspace, trees, look, desired
        self._links, self._force = tuple(links), force
        self._jobs, self._progress = jobs, progress
        self._sparse = Sparse(desired.patterns)
        self._narrowed = Sparse(desired.narrowed)
        self._snapshot = look.snapshot
        self._denies, self._erased = denies, erased
        self._denied: dict[bytes, str] = {}
        """Path -> name of the erasure that denies the content that the tree has there."""
        self._hidden: set[bytes] = set()
        """Paths of the tree where something is that could not be read or is never stored: it stays."""
        self._differing: set[bytes] = set()
        """Paths where the workspace differs from the tree, before anything is done."""
        self._clearing = Clearing(
            workspace,
            look.path,
            look.snapshot,
            is_folder=desired.is_folder,
            trash=trash if force else "",
            is_denied=self._is_erased,
        )

    def wants(self, path: bytes) -> bool:
        return self._sparse.matches(path) and self._narrowed.matches(path)

    def plan(self, *, relink: bool = False) -> CheckoutPlan:
        """Decide what to do.  Raises: MissingObjectError for structure, WouldOverwriteError."""
        if self._snapshot is None:
            self._trees.root(self._desired.root_id)
            return CheckoutPlan(self._permitted(self._wanted_entries()), (), (), (), ())
        changes = self._changes(relink=relink)
        cache = self._workspace.cache
        plan = plan_checkout(
            changes,
            wanted=lambda path: self.wants(path),
            was_placed=self._was_placed,
            # What was erased is not kept for anybody; what is held is.
            is_saved=lambda oid: cache.has(blob_name(oid)) or self._is_erased(oid),
            force=self._force,
        )
        if plan.unsaved:
            raise WouldOverwriteError(self._look.path, plan.unsaved)
        return plan if self._denies is None else plan._replace(writes=tuple(self._permitted(plan.writes)))

    def _is_erased(self, oid: Oid) -> bool:
        return self._erased is not None and bool(self._erased(oid))

    def _permitted(self, writes: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries whose content no erasure denies; the others are noted."""
        for entry in writes:
            name = self._denies(entry.path, entry.oid) if self._denies and entry.oid else ""
            if name:
                self._denied[entry.path] = name
            else:
                yield entry

    def plan_clearing(self) -> CheckoutPlan:
        """Plan to take away the whole target, since what comes is of the other kind: file or folder.

        Raises: WouldOverwriteError; LocalIOError where something would stay.
        """
        plan = self.plan()
        assert self._snapshot is not None
        going = sum(1 for e in plan.deletes if e.kind != EMPTY_FOLDER)
        if going != self._snapshot.files or self._snapshot.unsafe:
            here, there = ("file", "folder") if self._snapshot.is_single else ("folder", "file")
            raise LocalIOError(
                self._look.path,
                f"is a {here} here and a {there} in that version, and holds what is not tracked",
                hint=f"move {show_path(self._look.path)} away, then: dataver checkout",
            )
        return plan

    def clear(self, plan: CheckoutPlan) -> None:
        """Take away the whole target as planned.  Raises: LocalIOError where something stayed."""
        outcome = Outcome()
        # Killed halfway, what is gone counts as absent.
        self._workspace.records.drop(self._look.path)
        self._workspace.drop_index(self._look.path)
        self._clearing.clear(plan, outcome)
        whole = self._workspace.absolute(self._look.path)
        if self._desired.is_folder and not outcome.failed:
            try:
                self._workspace.disk.rmdir(whole)
            except OSError as error:
                raise local_error(error, whole, "delete") from error
        if outcome.failed:
            raise LocalIOError(self._look.path, outcome.failed[0].message)

    def _was_placed(self, entry: Entry) -> bool:
        """Tell whether a file is there since the base has it, and not as the user's own."""
        record = self._look.record
        if record is None or not record.root_id or entry.path in record.missing:
            return False
        try:
            found = self._trees.find(record.root_id, entry.path)
            if found is None and self._trees.erased:
                found = self._erased_since(record.root_id, entry)
        except MissingObjectError:
            return False
        return found is not None and Sparse(record.patterns).matches(entry.path)

    def _erased_since(self, root_id: bytes, here: Entry) -> Entry | None:
        """Return *here* where it is still what was placed, as an intact copy of its leaf tells."""
        try:
            found = Trees(self._workspace.cache).find(root_id, here.path)
        except FormatError:  # a copy that lacks entries says nothing without the records
            return None
        return found if found is not None and found[:4] == here[:4] else None

    def _changes(self, *, relink: bool) -> Iterable[Change]:
        root_id = self._desired.root_id
        assert self._snapshot is not None
        found = Comparer(
            self._trees,
            self._snapshot,
            self._look.record,
            size_of=self._workspace.size_of,
            rehash=lambda path, code: self._workspace.rehash(
                self._look.path, path, code, is_single=not self._desired.is_folder
            ),
            refused=self._look.refused,
        ).compare(root_id, self._look.columns)
        self._differing = {c.path for c in found.changes}
        if self._look.refused:
            self._hidden = {e.path for e in self._trees.entries(root_id) if self._is_refused(e.path)}
        if not found.absent and not relink:
            return found.changes
        # What is absent shows in no change: of that, what is wanted now is to be written too; to
        # link anew, what is as it should be is written as well.
        known = self._differing | self._hidden
        others = [
            Change("modified" if here else "deleted", e.path, e, here)
            for e in self._wanted_entries()
            if e.path not in known
            if (here := self._present(e)) is None or relink
        ]
        return sorted([*found.changes, *others], key=lambda c: c.path)

    def _is_refused(self, path: bytes) -> bool:
        refused = self._look.refused
        return path in refused or any(f in refused for f in folders_of(path))

    def _present(self, entry: Entry) -> Entry | None:
        assert self._snapshot is not None
        if entry.kind == EMPTY_FOLDER:
            return entry if entry.path in self._snapshot.folders else None
        return entry if self._snapshot.find(entry.path) is not None else None

    def _wanted_entries(self) -> Iterator[Entry]:
        ranges = self._narrowed.ranges() or self._sparse.ranges()
        return (e for e in self._entries_in(self._desired.root_id, ranges) if self.wants(e.path))

    def _entries_in(
        self, root_id: bytes, ranges: Iterable[tuple[bytes, bytes | None]] | None
    ) -> Iterable[Entry]:
        """Return the entries within *ranges* in path order, opening few leaves beside theirs."""
        if ranges is None:
            return self._trees.entries(root_id)
        merged: dict[bytes, Entry] = {}
        for low, high in ranges:
            # Nothing lies below a path that is a file: its neighbours need not be opened.
            if not (low.endswith(b"/") and low[:-1] in merged):
                merged.update((e.path, e) for e in self._trees.entries(root_id, low, high))
        return [merged[path] for path in sorted(merged)]

    def check_room(self, plan: CheckoutPlan, size: int) -> None:
        """Check that *plan* fits on the disk; *size* is how many bytes the whole version has at least.

        Raises: DiskFullError.
        """
        check_room_to_write(
            self._workspace,
            self._clearing.root(),
            plan,
            self._links,
            size=0 if self._sparse or self._narrowed else size,
            sample=lambda: islice(self._wanted_entries(), _SAMPLED),
        )

    # -- applying -----------------------------------------------------------------------------

    def apply(self, plan: CheckoutPlan) -> Outcome:
        """Do it, and remember it.  Raises: local errors that stop everything, such as a full disk."""
        outcome = Outcome(planned=plan.changes)
        for path in plan.blocked:
            error = WouldOverwriteError(self._look.path, [path])
            outcome.failed.append(error.failure(self._clearing.shown(path)))
        outcome.failed += [f for f in self._look.failed if self._hides(f.path)]
        root = self._clearing.root()
        make_folders(self._workspace.disk, os.fsdecode(root))
        if self._snapshot is not None and (plan.writes or plan.deletes):
            self._clearing.clear(plan, outcome)
        placed = self._write(root, plan, outcome)
        outcome.denied = {self._clearing.shown(path): name for path, name in self._denied.items()}
        self._remember(placed, plan, outcome)
        return outcome

    def _hides(self, shown: bytes) -> bool:
        """Tell whether what was refused at *shown* stands where the tree has something wanted."""
        inner = shown[len(self._look.path) + 1 :] if self._desired.is_folder else SINGLE_FILE_PATH
        return any(is_below(path, inner) and self.wants(path) for path in self._hidden)

    def _write(self, root: bytes, plan: CheckoutPlan, outcome: Outcome) -> dict[bytes, list[Folder]]:
        single = b"" if self._desired.is_folder else os.path.basename(self._look.path)
        cache = self._workspace.cache
        work = partial(place_batch, root, single, cache, self._workspace.disk, self._links)
        placed: dict[bytes, list[Folder]] = {}
        total = (
            len(plan.writes)
            if isinstance(plan.writes, tuple)
            else self._trees.root(self._desired.root_id).count
        )
        workers = worker_count(self._jobs) if total >= PARALLEL_FROM else 1
        # Read before the workers are forked, so that they share it.
        cache.prepare_lookup(total)
        with self._progress.task("checking out", total=total) as task:
            for part in Processes.map_ordered(work, self._batches(plan.writes), workers):
                self._take(part, placed, outcome)
                task.advance(part.files, part.size)
        return placed

    def _batches(self, writes: Iterable[Entry]) -> Iterator[list[Placement]]:
        batch: list[Placement] = []
        size = 0
        for entry in writes:
            batch.append(Placement(entry, self._clearing.stat_of(entry.path)))
            size += entry.size
            if len(batch) >= BATCH_FILES or size >= BATCH_SIZE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _take(self, part: Placed, placed: dict[bytes, list[Folder]], outcome: Outcome) -> None:
        outcome.written += part.files
        outcome.size += part.size
        outcome.failed += [f._replace(path=self._clearing.shown(f.path)) for f in part.failed]
        for folder, rows in part.folders.items():
            placed.setdefault(folder, []).append(rows)

    # -- remembering --------------------------------------------------------------------------

    def _remember(self, placed: dict[bytes, list[Folder]], plan: CheckoutPlan, outcome: Outcome) -> None:
        """Save the record, then the index."""
        look, desired = self._look, self._desired
        record = self._record_after(plan, outcome)
        self._workspace.records.save(look.path, record)
        outcome.absent = self._count_absent(record) if record.patterns or record.missing else 0
        total = self._trees.root(desired.root_id).count
        outcome.kept = max(total - outcome.absent - outcome.written, 0)
        if outcome.failed or record.root_id != desired.root_id:
            self._workspace.drop_index(look.path)
            return
        if not record.patterns and not record.missing and not self._differing:
            note_complete(self._workspace.cache.folder, self._workspace.state, record.root_id)
        written = list(placed)
        after = scan(
            self._workspace.absolute(look.path),
            JustWritten(placed, self._snapshot),
            clock=self._workspace.clock,
            is_tracked=Tracked(lambda: self._trees, desired.root_id).holds,
            above=self._workspace.folders_above(look.path),
        )
        if after is None:
            return
        before, look.snapshot = look.snapshot, after
        touched = self._differing - {c.path for c in plan.changes if not _is_of_folder(c)}
        touched |= look.refused
        # Whether a folder is empty now hangs on files that stayed: it is looked at once more.
        touched |= after.empty_folders() - (before.empty_folders() if before is not None else set())
        rows = {p: range(after.folders[p].count) for p in written if p in after.folders}
        if before is not None:
            distrust_racy(after, before)
        self._workspace.save_index(look, record.root_id, frozenset(touched), rows=rows)

    def _record_after(self, plan: CheckoutPlan, outcome: Outcome) -> Record:
        """Return the record to keep; some paths of another version leave the workspace where it was.

        So does a file that could not be deleted: under the new version it would pass for one that
        nobody ever tracked, and no later checkout would take it away.
        """
        old, desired = self._look.record, self._desired
        if desired.narrowed and old is not None and old.root_id not in (b"", desired.root_id):
            return old
        cut = len(self._look.path) + 1
        lost = {f.path[cut:] if desired.is_folder else SINGLE_FILE_PATH for f in outcome.failed}
        if old is not None and outcome.failed and not lost.isdisjoint(e.path for e in plan.deletes):
            return old
        missing = {p for p in lost if self._trees.find(desired.root_id, p) is not None}
        missing |= {p for p in self._hidden if self.wants(p)} | self._denied.keys()
        if desired.narrowed and old is not None:
            missing |= {p for p in old.missing if not self._narrowed.matches(p)}
        beside = desired.beside if desired.beside != desired.root_id else b""
        return Record(desired.root_id, desired.patterns, frozenset(missing), beside)

    def _count_absent(self, record: Record) -> int:
        """Count what is not here; a part of a tree is looked at without the rest of it."""
        sparse = Sparse(record.patterns)
        if not sparse:
            return len(record.missing)
        found = self._entries_in(record.root_id, sparse.ranges())
        here = sum(1 for e in found if sparse.matches(e.path) and e.path not in record.missing)
        return self._trees.root(record.root_id).count - here


def _is_of_folder(change: Change) -> bool:
    return any(e is not None and e.kind == EMPTY_FOLDER for e in (change.old, change.new))
