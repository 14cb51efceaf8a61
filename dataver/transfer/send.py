"""Push: what the remote lacks of some versions goes there, and the versions that are whole are named.

The order is the promise: data, then leaves and recipes, then the roots of versions that are whole,
then the journal entry.  Whoever finds a root finds everything below it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from dataver.errors import DataverError, Failure, MissingObjectError
from dataver.formats.pack import TARGET_SIZE
from dataver.formats.recipe import CHUNK_ABOVE
from dataver.model.names import ObjectName, blob_name, oid_of_name, recipe_name, root_name, show_name
from dataver.model.tree import Entry, Root
from dataver.parallel import Buffers, threads_map_ordered
from dataver.progress import SILENT, Progress
from dataver.store.cache import CachedPack
from dataver.store.packfile import PackWriter
from dataver.store.push import Overtaken
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.transfer.intake import Intake
from dataver.transfer.outgoing import Outgoing
from dataver.transfer.pack_up import (
    Lacks,
    PackUp,
    Parcel,
    parcel_of,
    recipe_objects,
    temp_pack,
)
from dataver.transfer.session import Rehearsal, Session
from dataver.transfer.ship import ship
from dataver.transfer.survey import Survey, root_objects
from dataver.transfer.wanted import Ends, Version


class OvertakenError(DataverError):
    """Others removed packs or wrote erasure records meanwhile: the push must be planned again."""

    code = "overtaken"
    exit_status = 4
    hint = "dataver push"

    def __init__(self, what: Overtaken) -> None:
        self.what = what
        super().__init__("the remote was changed by others meanwhile")


class Writer(NamedTuple):
    """Who pushes."""

    clone_id: str
    repo_id: str


@dataclass(slots=True)
class Sent:
    """What a push did, or with a dry run would do."""

    files: int = 0
    size: int = 0
    objects: int = 0
    packs: int = 0
    sent: int = 0
    """Bytes of packs."""
    new: int = 0
    """Bytes of files that were not on the remote."""
    seq: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)


def send(
    ends: Ends,
    versions: Sequence[Version],
    writer: Writer,
    *,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Sent:
    """Send what the remote (refreshed by the caller) lacks of *versions*, and name those that are whole.

    Raises: OvertakenError: read the journal's records again and send again; RemoteError.
    """
    wanted = [v for v in versions if v.root_id != EMPTY_ROOT_ID]
    complete = ends.remote.complete_roots(list({root_name(v.root_id) for v in wanted}))
    rest = [v for v in wanted if root_name(v.root_id) not in complete]
    done = Sent()
    for version in wanted:
        if version not in rest:
            done.files += version.files
            done.size += version.size
    if not rest and (dry_run or ends.remote.are_named_lately({v.root_id for v in wanted}, writer.repo_id)):
        return done
    session: Session = Rehearsal(ends) if dry_run else ends.remote.begin(writer.clone_id, writer.repo_id)
    with session:
        _Sending(ends, session, progress, done).run(wanted, rest)
    return done


def send_contents(
    ends: Ends, entries: Iterable[Entry], writer: Writer, *, progress: Progress = SILENT
) -> Sent:
    """Send the contents of *entries* that the remote (refreshed by the caller) lacks; no version names them.

    Raises: OvertakenError, MissingObjectError where the cache lacks one; RemoteError.
    """
    done = Sent()
    with ends.remote.begin(writer.clone_id, writer.repo_id) as session:
        _Sending(ends, session, progress, done).contents(entries)
    return done


class _Sending:
    """One push under way."""

    def __init__(self, ends: Ends, session: Session, progress: Progress, done: Sent) -> None:
        self._ends, self._session, self._progress, self._done = ends, session, progress, done
        self._jobs = min(ends.jobs, ends.remote.bucket.packs_at_once)
        # One for each pack that is on its way, and one that is filled meanwhile.
        self._buffers = Buffers(self._jobs + 1)
        self._structure: PackWriter | None = None
        self._held: list[Parcel] = []
        """Packs of leaves, which go after all data."""
        self._temps: list[str] = []
        # Asking the session writes a segment first: only what a broken push left makes that worth it.
        self._lacks: Lacks = session.missing if session.resumed_objects else ends.remote.missing

    def run(self, wanted: Sequence[Version], rest: Sequence[Version]) -> None:
        survey = Survey(self._ends, self._lacks, self._keep)
        pack_up = PackUp(self._ends.cache, self._lacks, self._buffers.take)
        try:
            found = survey.run(rest)
            done = self._done
            done.files += found.files
            done.size += found.size
            done.failed += found.failed
            done.warnings += found.warnings
            done.new = found.outgoing.size
            bad = dict(found.bad)
            with self._progress.task("Pushing", total=len(found.outgoing), size=found.outgoing.size) as task:
                for parcel in self._send(pack_up.parcels(found.outgoing.items()), bad):
                    task.advance(parcel.table.count, parcel.raw)
            bad.update(pack_up.bad)
            done.new -= pack_up.reused
            if bad:
                done.failed += survey.failures(rest, bad)
            self._send_structure(pack_up, found.roots, bad)
            named = {v.root_id for v in wanted if v not in rest} | set(found.roots)
            if named or done.packs:
                redacted = found.redacted.items()
                done.seq = self._session.commit(named, overtaken=_again, redacted=redacted)
            self._put_aside(bad)
        finally:
            pack_up.drop()
            self._drop()

    def contents(self, entries: Iterable[Entry]) -> None:
        """Send contents alone."""
        by_name = {
            (recipe_name if e.size > CHUNK_ABOVE else blob_name)(e.oid): e
            for e in entries
            if e.oid is not None
        }
        lacking = self._lacks(list(by_name))
        wanted = {blob_name(oid_of_name(name)): by_name[name] for name in lacking}
        pack_up = PackUp(self._ends.cache, self._lacks, self._buffers.take)
        bad: dict[ObjectName, bool] = {}
        outgoing = Outgoing(self._ends.cache)
        try:
            lost = outgoing.take(wanted)
            for _ in self._send(pack_up.parcels(outgoing.items()), bad):
                pass
            bad.update(pack_up.bad)
            for name in (*lost, *bad):
                raise MissingObjectError(show_name(name))
            self._send_structure(pack_up, {}, bad)
            if self._done.packs:
                self._done.seq = self._session.commit((), overtaken=_again)
        finally:
            pack_up.drop()
            self._drop()

    # -- structure ----------------------------------------------------------------------------

    def _keep(self, name: ObjectName, data: bytes) -> None:
        """Pack structure into a temp file; it is sent after all data."""
        if self._structure is None:
            self._structure = temp_pack(self._ends.cache, self._ends.disk)
        self._structure.add(name, data)
        if self._structure.size >= TARGET_SIZE:
            self._close_structure()

    def _close_structure(self) -> None:
        writer, self._structure = self._structure, None
        if writer is not None:
            self._held.append(parcel_of(writer.close()))

    def _send_structure(self, pack_up: PackUp, roots: dict[bytes, Root], bad: dict[ObjectName, bool]) -> None:
        """Send recipes and leaves, and in the last pack the roots of versions that are whole."""
        for name, data in recipe_objects(pack_up.recipes):
            self._keep(name, data)
        lacking = set(self._lacks([root_name(root_id) for root_id in roots]))
        for name, data in root_objects(roots.values()):
            if name in lacking:
                self._keep(name, data)
        self._close_structure()
        held, self._held = self._held, []
        for _ in self._send(held, bad):
            pass
        if pack_up.recipes and not isinstance(self._session, Rehearsal):
            self._remember(pack_up)

    def _remember(self, pack_up: PackUp) -> None:
        """Keep recipes in the cache: a later fetch finds in old versions what a new one shares with them."""
        names = dict(recipe_objects(pack_up.recipes))
        with Intake(self._ends.cache, self._ends.disk) as intake:
            for name in self._ends.cache.missing(list(names)):
                intake.add(name, names[name])

    # -- sending ------------------------------------------------------------------------------

    def _send(self, parcels: Iterable[Parcel], bad: dict[ObjectName, bool]) -> Iterator[Parcel]:
        """Send *parcels*, several at once, and yield those that arrived; what is damaged goes into *bad*."""
        send = partial(ship, self._session, self._buffers, self._ends.disk)
        for parcel, damaged in threads_map_ordered(send, self._orders(parcels), self._jobs):
            bad.update(dict.fromkeys(damaged, True))
            if parcel is None:
                continue
            self._session.added(parcel.table, parcel.size)
            self._done.packs += 1
            self._done.objects += parcel.table.count
            self._done.sent += parcel.size
            yield parcel

    def _orders(self, parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, bytearray | None]]:
        """Yield *parcels* with the memory that those out of the cache need.

        Taken here, in the order of their turns: whoever holds memory waits for nobody who wants some.
        """
        for parcel in parcels:
            if isinstance(parcel.source, str):
                self._temps.append(parcel.source)
            yield parcel, self._buffers.take() if isinstance(parcel.source, CachedPack) else None

    def _put_aside(self, bad: dict[ObjectName, bool]) -> None:
        """Move what is damaged in the cache to quarantine, so that a fetch brings it anew."""
        if isinstance(self._session, Rehearsal):
            return
        for name, is_corrupt in bad.items():
            if is_corrupt:
                self._ends.cache.quarantine(name)

    def _drop(self) -> None:
        """Remove temp files that an interrupted push leaves."""
        if self._structure is not None:
            self._structure.abort()
        for path in (*self._temps, *(p.source for p in self._held if isinstance(p.source, str))):
            with contextlib.suppress(OSError):
                self._ends.disk.unlink(path)


def _again(what: Overtaken) -> None:
    raise OvertakenError(what)
