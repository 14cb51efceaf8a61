"""One push: packs, then a segment that lists them, then one journal entry; nothing else writes objects.

The order is the promise: whoever finds an entry finds its segments, whoever finds a segment finds
its packs, and a root that stands in a live segment is complete.

Longer than 300 lines because what others' entries mean for a push is told beside the push itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, TypeVar

from dataver.disk.disk import Clock
from dataver.errors import DataverError, MissingObjectError, RemoteStateError
from dataver.formats import layout, segment
from dataver.formats.commit import Commit, encode_commit
from dataver.formats.journal import COMMIT, Entry
from dataver.formats.pack import Table
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, StructureId
from dataver.store.bucket import Bucket
from dataver.store.compaction import Merge, merge, plan_merge, rewrite, write_segment
from dataver.store.journal import Draft, Journal
from dataver.store.leases import Lease
from dataver.store.local import LocalCopies
from dataver.store.packcheck import PackCheck, missing_of
from dataver.store.pruning import prune, replaced_packs
from dataver.store.segments import Segments
from dataver.store.unfinished import Unfinished

SEGMENT_PACKS = 64
SEGMENT_AGE_S = 60.0
SEGMENT_ROWS = 1 << 18
"""A segment is written at the first of these: what a broken push has to send again is bounded."""

T = TypeVar("T")
Redacted = Iterable[tuple[StructureId, Iterable[bytes]]]


class Parts(NamedTuple):
    """What a remote is made of."""

    bucket: Bucket
    journal: Journal
    segments: Segments
    check: PackCheck
    local: LocalCopies
    clock: Clock
    has_one_writer: bool

    def asked(self, ask: Callable[[], T]) -> T:
        """Return what *ask* finds in the live segments, with the journal read again where one is gone.

        A merge or gc of others removes segments: what they held lies in newer ones.
        """
        try:
            return ask()
        except MissingObjectError:
            if not self.journal.refresh():
                raise
            self.segments.set_live(self.journal.state.segments)
            return ask()


class Overtaken(NamedTuple):
    """What others did between this push's look at the remote and its entry."""

    packs_removed: frozenset[StructureId]
    has_records: bool
    """True when there are new erasure records: what they deny must not be pushed."""


class Push:
    """A push under way.  Leaving its `with` without a commit keeps what was sent for the next one."""

    def __init__(self, parts: Parts, writer: str, repo_id: str) -> None:
        """Use `Remote.begin`."""
        self._parts = parts
        self._repo_id = layout.check_id(repo_id)
        self._fresh: list[tuple[PackRef, bytes]] = []
        self._fresh_rows = 0
        self._fresh_since = 0.0
        self._merges: list[Merge] = []
        self._pruned: frozenset[StructureId] = frozenset()
        self._lease = Lease(parts.bucket, parts.clock, writer)
        try:
            if parts.has_one_writer:
                self._lease.take_writer_lock()
            asked_at = parts.journal.seen.seq
            parts.journal.refresh(thoroughly=True)
            parts.segments.set_live(parts.journal.state.segments)
            # What the caller asked of the remote before, it asked when this was the last entry.
            self._since = asked_at or parts.journal.seen.seq
            self._own = Segments(parts.bucket, parts.local)
            self._unfinished = Unfinished(parts.local, self._lease.writer)
            self._stored = self._unfinished.take_over(parts.journal, self._own, parts.check)
            self._own.set_live(self._stored)
            for left in self._unfinished.take_over_packs(parts.journal, parts.check):
                self._take(left.table, left.size)
        except BaseException:
            self._lease.release()
            raise

    @property
    def resumed_objects(self) -> int:
        """How many objects a push that broke had stored already; asked before anything is added."""
        return sum(ref.rows for ref in self._stored) + self._fresh_rows

    def missing(self, names: Sequence[ObjectName]) -> list[ObjectName]:
        """Return the *names* that are neither live on the remote nor stored by this push already."""
        rest = self._parts.asked(lambda: missing_of(names, self._parts.segments, self._parts.check))
        self._flush()
        return self._own.absent(rest)[0] if rest and self._stored else rest

    def upload(self, pack_id: StructureId, source: str | os.PathLike[str] | Buffer) -> None:
        """Store a pack, from a file or from memory.  May run in any thread; `added` must follow."""
        key = layout.pack_key(pack_id)
        if isinstance(source, str | os.PathLike):
            self._parts.bucket.put_file(key, source)
        else:
            self._parts.bucket.put(key, source)

    def added(self, table: Table, size: int) -> None:
        """Take a pack of *size* bytes that was uploaded into the next segment."""
        self._unfinished.note_pack(self._since, table, size)
        self._take(table, size)
        self._parts.check.note(table.pack_id, size)
        self._lease.renew()
        if (
            len(self._fresh) >= SEGMENT_PACKS
            or self._fresh_rows >= SEGMENT_ROWS
            or self._parts.clock.monotonic() - self._fresh_since >= SEGMENT_AGE_S
        ):
            self._flush()

    def _take(self, table: Table, size: int) -> None:
        if not self._fresh:
            self._fresh_since = self._parts.clock.monotonic()
        self._fresh.append((PackRef(table.pack_id, size), segment.bare_rows(table)))
        self._fresh_rows += table.count

    def add_pack(self, source: str | os.PathLike[str] | Buffer, table: Table, size: int) -> None:
        """Store a pack of *size* bytes and take it into the next segment."""
        self.upload(table.pack_id, source)
        self.added(table, size)

    def commit(
        self,
        roots: Iterable[bytes],
        *,
        overtaken: Callable[[Overtaken], None] | None = None,
        redacted: Redacted = (),
    ) -> int:
        """Write the entry that makes all of it live; return its number.

        *roots* are named even when nothing was stored: that keeps what they need from gc.  When
        packs were removed or records written meanwhile, *overtaken* is called: it asks `missing`
        again for all that the roots need and stores what is gone.  Without one that raises.

        Raises: RemoteStateError, RemoteError, and what *overtaken* raises.
        """
        self._flush()
        self._catch_up(overtaken)
        self._merges = self._parts.asked(lambda: self._without_lost() or self._merged())
        self._catch_up(overtaken)
        named = tuple(sorted({StructureId(root) for root in roots}))
        left_out = tuple(sorted((leaf, tuple(sorted(set(stubs)))) for leaf, stubs in redacted))
        write_id = os.urandom(16).hex()

        def draft() -> Draft:
            body = encode_commit(self._commit_of(named, left_out))
            return Draft(COMMIT, self._lease.writer, write_id, self._repo_id, body)

        def take_into_account(entries: Sequence[tuple[Entry, Commit | None]]) -> Draft:
            self._follow(entries, overtaken)
            self._catch_up(overtaken)
            return draft()

        self._lease.renew()
        entry = self._parts.journal.append(
            draft(), time_s=self._lease.store_time_s(), overtaken=take_into_account
        )
        self._since = entry.seq
        self._parts.segments.set_live(self._parts.journal.state.segments)
        self._unfinished.done()
        self._stored = []
        self._own.set_live(())
        return entry.seq

    def __enter__(self) -> Push:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After Ctrl-C nothing more is sent: what no segment lists is sent again next time.
        if kind is not None and issubclass(kind, Exception):
            try:
                self._flush()
            except DataverError:
                pass  # the error that ended the push is the one to report
        elif kind is None:
            self._flush()
        self._lease.release()

    # -- segments ---------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Write a segment of the packs that none lists yet."""
        if not self._fresh:
            return
        fresh = sorted(dict(self._fresh).items())
        rows = [row for ordinal, (_, bare) in enumerate(fresh) for row in segment.with_ordinal(bare, ordinal)]
        rows.sort()
        packs = [ref for ref, _ in fresh]
        self._stored.append(write_segment(self._parts.bucket, self._own, packs, rows))
        self._fresh, self._fresh_rows = [], 0
        self._own.set_live(self._stored)
        self._unfinished.note(self._since, self._stored)
        self._unfinished.listed(packs)
        self._lease.renew()

    def _merged(self) -> list[Merge]:
        sources = plan_merge(self._parts.segments.live)
        return [merge(self._parts.bucket, self._parts.segments, sources)] if sources else []

    def _without_lost(self) -> list[Merge]:
        """Leave out packs that were found lost and of which everything has another place by now.

        A pack that is there again, since somebody put it back, stays.
        """
        live = self._parts.segments.packs() if self._parts.check.noticed else {}
        noticed = {pack: live[pack] for pack in self._parts.check.noticed if pack in live}
        lost = self._parts.check.lost(noticed, len(live)) if noticed else set()
        self._pruned = replaced_packs(self._parts.segments, lost, self.missing) if lost else frozenset()
        return prune(self._parts.bucket, self._parts.segments, self._pruned) if self._pruned else []

    def _commit_of(
        self, roots: tuple[StructureId, ...], redacted: tuple[tuple[StructureId, tuple[bytes, ...]], ...]
    ) -> Commit:
        added = {*self._stored, *(done.result for done in self._merges if done.result is not None)}
        removed = {ref.segment_id for done in self._merges for ref in done.sources}
        packs = {pack for ref in self._stored for pack in self._own.packs_of(ref)}
        return Commit(
            roots=roots,
            segments_added=tuple(sorted(added)),
            segments_removed=tuple(sorted(removed)),
            packs_added=tuple(sorted(packs)),
            packs_removed=tuple(sorted(self._pruned)),
            redacted=redacted,
        )

    # -- losing a race ----------------------------------------------------------------------------

    def _catch_up(self, overtaken: Callable[[Overtaken], None] | None) -> None:
        """Take into account what was read of the journal since this push, or who began it, first asked."""
        while self._parts.journal.seen.seq > self._since:
            self._follow(self._parts.journal.entries_since(self._since), overtaken)

    def _follow(
        self,
        entries: Sequence[tuple[Entry, Commit | None]],
        overtaken: Callable[[Overtaken], None] | None,
    ) -> None:
        """Take the entries of others into account."""
        live = self._parts.journal.state.segments
        self._parts.segments.set_live(live)
        self._since = self._parts.journal.seen.seq
        removed = frozenset(pack for _, commit in entries if commit for pack in commit.packs_removed)
        gone = frozenset(ref for _, commit in entries if commit for ref in commit.segments_removed)
        # Sources that somebody else has merged meanwhile are gone: our merge would bring them back.
        kept = [
            done
            for done in self._merges
            if live.issuperset(done.sources) and (done.result is None or done.result.segment_id not in gone)
        ]
        if self._pruned and (removed or len(kept) < len(self._merges)):
            # What made a lost pack dispensable may have been removed: the next push looks again.
            kept, self._pruned = [], frozenset()
        self._merges = kept
        has_records = any(entry.kind != COMMIT for entry, _ in entries)
        if has_records:
            self._forget()
        is_all_kept = self._drop(removed, gone)
        if removed or has_records or not is_all_kept:
            if overtaken is None:
                raise RemoteStateError(
                    self._parts.bucket.url, "another client removed packs during this push"
                )
            overtaken(Overtaken(removed, has_records))
            self._flush()

    def _forget(self) -> None:
        """Rely on nothing that was stored so far: it may hold what erasure records deny by now."""
        self._fresh, self._fresh_rows, self._stored = [], 0, []
        self._own.set_live(())
        self._unfinished.done()

    def _drop(self, removed: frozenset[StructureId], gone: frozenset[StructureId]) -> bool:
        """Write our segments anew without packs that were *removed*, and those that are *gone* themselves.

        Their ids are never used again.  Returns False where of one that is gone there is no copy.
        """
        kept: list[SegmentRef] = []
        is_all_kept = True
        for ref in self._stored:
            try:
                if ref.segment_id in gone or any(p.pack_id in removed for p in self._own.packs_of(ref)):
                    rest = rewrite(self._parts.bucket, self._own, [ref], without=removed)
                    kept.extend([rest] if rest else [])
                else:
                    kept.append(ref)
            except MissingObjectError:
                is_all_kept = False
        if kept != self._stored:
            self._stored = kept
            self._own.set_live(kept)
            self._unfinished.note(self._since, kept)
        return is_all_kept
