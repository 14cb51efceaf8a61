"""A removal under way: new packs, segments, one journal entry that names all that goes, then the deletes.

What is deleted before an entry names it may be
what somebody relies on; what an entry named and nobody deleted yet only takes room.

Longer than 300 lines because what others' entries mean for a removal is told beside the removal itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from dataver.errors import DataverError, Failure, RemoteError, UnprovenError
from dataver.formats import layout, segment
from dataver.formats.commit import Commit, encode_commit
from dataver.formats.journal import COMMIT, Entry
from dataver.formats.pack import Table
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, StructureId
from dataver.store.compaction import rewrite, write_segment
from dataver.store.deleting import Doomed, delete_all
from dataver.store.folder import FolderBucket
from dataver.store.journal import Draft
from dataver.store.leases import Lease, live_leases, oldest_beginning_s
from dataver.store.push import SEGMENT_ROWS, Parts, Redacted

MOST_SKEW_S = 300.0
"""A store's clock that differs from ours by more is no measure of what is old."""
MOST_NAMED = 400_000
"""Packs and segments that one removal names: a journal entry's body has 64 MiB."""
_MOST_ROWS = 1 << 20
_TEMP_AGE_S = 86_400.0

Entries = Sequence[tuple[Entry, Commit | None]]


class LostRaceError(RemoteError):
    """Others changed the remote so that what a removal planned holds no longer: plan again."""

    hint = "dataver gc --remote"

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"{url} was changed by others meanwhile, again and again")


@dataclass(frozen=True, slots=True)
class Going:
    """What a removal takes away."""

    packs: Mapping[StructureId, int] = field(default_factory=dict)
    """With their sizes: those of live segments, and those that no live segment lists."""
    segments: Mapping[StructureId, int] = field(default_factory=dict)
    """Segments that are not live, with their sizes."""
    roots: frozenset[ObjectName] = frozenset()
    """Roots of which parts go: no live segment may list them, since a listed root is complete."""
    leftovers: tuple[Doomed, ...] = ()
    """What no journal entry names: dead leases, states that no checkpoint names, broken uploads."""


class Removal:
    """A removal under way, which holds a lease."""

    def __init__(self, parts: Parts, writer: str, repo_id: str) -> None:
        """Use `Remote.begin_removal`."""
        self._parts = parts
        self._repo_id = layout.check_id(repo_id)
        self._fresh: list[tuple[PackRef, Table]] = []
        self._doomed: list[Doomed] = []
        self._wasted = Going()
        self._lease = Lease(parts.bucket, parts.clock, writer)
        try:
            check_skew(parts.bucket.url, self._lease.skew_s)
            if parts.has_one_writer:
                self._lease.take_writer_lock()
            parts.journal.refresh(thoroughly=True)
            parts.segments.set_live(parts.journal.state.segments)
            self._began_at = parts.journal.seen.seq
        except BaseException:
            self._lease.release()
            raise

    def now_s(self) -> float:
        """Return the time by the store's clock."""
        return self._parts.clock.now_s() + self._lease.skew_s

    def oldest_writer_s(self) -> float:
        """Return when the other writer began that is at work longest; now for nobody."""
        return oldest_beginning_s(self._parts.bucket, self.now_s(), but=self._lease.writer)

    def others(self) -> tuple[str, ...]:
        """Return the other writers that are at work."""
        live = live_leases(self._parts.bucket, self.now_s())
        return tuple(writer for writer in live if writer != self._lease.writer)

    def renew(self) -> None:
        """Say that the removal is still at work."""
        self._lease.renew()

    @property
    def copied(self) -> frozenset[ObjectName]:
        """The objects that lie in packs of this removal already."""
        return frozenset(name for _, table in self._fresh for name in table.names())

    @property
    def stored(self) -> frozenset[StructureId]:
        """The packs that hold them, which no live segment lists yet."""
        return frozenset(ref.pack_id for ref, _ in self._fresh)

    def add_pack(self, data: Buffer, table: Table) -> None:
        """Store a pack of objects that stay; no segment lists it before `commit`."""
        self._parts.bucket.put(layout.pack_key(table.pack_id), data)
        self._fresh.append((PackRef(table.pack_id, len(data)), table))
        self._parts.check.note(table.pack_id, len(data))
        self._lease.renew()

    def commit(
        self,
        going: Going,
        planned_at: int,
        still_holds: Callable[[Entries], bool],
        redacted: Redacted = (),
    ) -> int:
        """Write the entry that names all that goes, and return its number; nothing is deleted yet.

        *still_holds* tells of entries after number *planned_at* whether all of it may go nonetheless;
        *redacted* are leaves of the new packs with the commitments that they lost.
        Raises: LostRaceError when it may not; RemoteError.
        """
        # Entries that came before the plan may have removed what an earlier plan stored.
        self._check_stored(self._parts.journal.entries_since(self._began_at))
        self._check(self._parts.journal.entries_since(planned_at), going, still_holds)
        packs = {**going.packs, **self._wasted.packs}
        sources = [ref for ref in self._parts.segments.live if self._is_touched(ref, going)]
        added = [*self._rewritten(sources, going), *self._fresh_segments()]
        segments = {
            **{ref.segment_id: _size_of(ref) for ref in sources},
            **going.segments,
            **self._wasted.segments,
        }
        body = encode_commit(
            Commit(
                segments_added=tuple(sorted(added)),
                segments_removed=tuple(sorted(segments)),
                packs_added=tuple(sorted(ref for ref, _ in self._fresh)),
                packs_removed=tuple(sorted(packs)),
                redacted=tuple(sorted((leaf, tuple(sorted(set(cs)))) for leaf, cs in redacted)),
            )
        )
        draft = Draft(COMMIT, self._lease.writer, os.urandom(16).hex(), self._repo_id, body)

        def take_into_account(entries: Entries) -> Draft:
            read = self._parts.journal.seen.seq
            try:
                self._check(entries, going, still_holds, sources, added)
                # Looking at what they named may have read further.
                further = self._parts.journal.entries_since(read)
                self._check(further, going, still_holds, sources, added)
            except LostRaceError:
                wasted = {ref.segment_id: _size_of(ref) for ref in added}
                self._wasted = Going(self._wasted.packs, {**self._wasted.segments, **wasted})
                raise
            return draft

        self._lease.renew()
        seq = self._parts.journal.append(
            draft, time_s=self._lease.store_time_s(), overtaken=take_into_account
        ).seq
        self._doomed = [
            *(Doomed(layout.pack_key(pack_id), size) for pack_id, size in packs.items()),
            *(Doomed(layout.segment_key(segment_id), size) for segment_id, size in segments.items()),
        ]
        self._fresh, self._wasted = [], Going()
        self._parts.segments.set_live(self._parts.journal.state.segments)
        self._parts.segments.sweep()
        return seq

    @property
    def has_waste(self) -> bool:
        """Whether something was stored for a plan that came to nothing: the next entry names it."""
        return bool(self._wasted.packs or self._wasted.segments)

    def withdraw(self) -> None:
        """Give up the packs that `add_pack` stored: the next entry names them as removed."""
        fresh, self._fresh = self._fresh, []
        packs = {**self._wasted.packs, **{ref.pack_id: ref.size for ref, _ in fresh}}
        self._wasted = Going(packs, self._wasted.segments)

    def delete(self, leftovers: Iterable[Doomed] = ()) -> list[Failure]:
        """Delete what the entry named, and *leftovers*; return what stays, and why.

        Whatever stays takes room only: the next removal finds it again.
        """
        doomed, self._doomed = [*self._doomed, *leftovers], []
        return delete_all(self._parts.bucket, doomed, self._lease.renew)

    def take_doomed(self) -> list[Doomed]:
        """Return what the entry named, for a caller who deletes it in another way than `delete`."""
        doomed, self._doomed = self._doomed, []
        return doomed

    def sweep_temp(self) -> None:
        """Remove what uploads that broke long ago left in a folder, where no listing shows it."""
        if isinstance(self._parts.bucket, FolderBucket):
            with contextlib.suppress(DataverError, OSError):
                self._parts.bucket.sweep_temp(_TEMP_AGE_S)

    def __enter__(self) -> Removal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lease.release()

    # -- segments ---------------------------------------------------------------------------------

    def _is_touched(self, ref: SegmentRef, going: Going) -> bool:
        head, rows = self._parts.segments.rows_of(ref)
        if any(pack.pack_id in going.packs for pack in head.packs):
            return True
        if not going.roots:
            return False
        low, high = head.bounds(next(iter(going.roots)))
        listed = segment.names_of(rows[low * segment.ROW_SIZE : high * segment.ROW_SIZE])
        return any(name in going.roots for name in listed)

    def _rewritten(self, sources: Sequence[SegmentRef], going: Going) -> list[SegmentRef]:
        """Write *sources* anew without what goes, several in one as long as that stays small."""
        groups: list[list[SegmentRef]] = []
        rows = 0
        for ref in sources:
            if not groups or rows + ref.rows > _MOST_ROWS:
                groups.append([])
                rows = 0
            groups[-1].append(ref)
            rows += ref.rows
        written = []
        for group in groups:
            made = rewrite(
                self._parts.bucket,
                self._parts.segments,
                group,
                without=set(going.packs),
                dropped=going.roots,
            )
            written += [made] if made is not None else []
            self._lease.renew()
        return written

    def _fresh_segments(self) -> list[SegmentRef]:
        """Write segments of the packs that `add_pack` stored."""
        groups: list[list[tuple[PackRef, Table]]] = []
        rows = 0
        for ref, table in sorted(self._fresh, key=lambda one: one[0]):
            if not groups or rows + table.count > SEGMENT_ROWS:
                groups.append([])
                rows = 0
            groups[-1].append((ref, table))
            rows += table.count
        return [self._segment_of(group) for group in groups]

    def _segment_of(self, group: Sequence[tuple[PackRef, Table]]) -> SegmentRef:
        rows = [
            row
            for ordinal, (_, table) in enumerate(group)
            for row in segment.with_ordinal(segment.bare_rows(table), ordinal)
        ]
        rows.sort()
        return write_segment(self._parts.bucket, self._parts.segments, [ref for ref, _ in group], rows)

    # -- others ---------------------------------------------------------------------------------

    def _check(
        self,
        entries: Entries,
        going: Going,
        still_holds: Callable[[Entries], bool],
        sources: Sequence[SegmentRef] = (),
        written: Sequence[SegmentRef] = (),
    ) -> None:
        """Raises: LostRaceError where *entries* of others leave something other than what was planned.

        *sources* are the live segments in whose place *written* come.
        """
        commits = [commit for _, commit in entries if commit is not None]
        if not commits:
            return
        live = self._parts.journal.state.segments
        self._parts.segments.set_live(live)
        self._check_stored(entries)
        added = [ref for commit in commits for ref in commit.segments_added if ref in live]
        gone = {segment_id for commit in commits for segment_id in commit.segments_removed}
        is_changed = not live.issuperset(sources) or any(ref.segment_id in gone for ref in written)
        if is_changed or self._is_taken(added, going) or not still_holds(entries):
            raise LostRaceError(self._parts.bucket.url)

    def _check_stored(self, entries: Entries) -> None:
        """Raises: LostRaceError where *entries* removed a pack that `add_pack` stored."""
        removed = {pack_id for _, commit in entries if commit is not None for pack_id in commit.packs_removed}
        if any(ref.pack_id in removed for ref, _ in self._fresh):
            # Our lease was taken for dead.  Ids that were removed are never used again.
            self.withdraw()
            raise LostRaceError(self._parts.bucket.url)

    def _is_taken(self, added: Sequence[SegmentRef], going: Going) -> bool:
        """Tell whether segments that others added list what is to go."""
        return any(
            ref.segment_id in going.segments
            or any(pack.pack_id in going.packs for pack in self._parts.segments.packs_of(ref))
            for ref in added
        )


def _size_of(ref: SegmentRef) -> int:
    return segment.size_limit_of_head(ref.packs) + ref.rows * segment.ROW_SIZE


def check_skew(url: str, skew_s: float) -> None:
    """Raises: UnprovenError where the store's clock is so far from ours that ages mean nothing."""
    if abs(skew_s) > MOST_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        raise UnprovenError(
            url,
            f"its clock is {abs(skew_s):.0f} s {way} this computer's, so no age there can be told",
            hint="set the clock right, then: dataver gc --remote",
        )
