"""A remote: objects by name in packs, found through segments, under a journal that is the only truth.

Reading never writes, a client's own `clients/<clone id>` apart.  Writing is `store.push`'s, removing
`store.removal`'s.

Longer than 300 lines because it is all that a clone may ask of a remote, in one place: each method is
a few lines over the parts that do it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from dataver.disk.disk import Clock, Disk
from dataver.errors import (
    CorruptObjectError,
    DataverError,
    MissingObjectError,
    NotARemoteError,
    RemoteError,
    RemoteStateError,
    WrongEndpointError,
)
from dataver.formats import keys, layout, segment
from dataver.formats.commit import Commit
from dataver.formats.journal import Entry
from dataver.formats.keys import Secret
from dataver.formats.layout import Description
from dataver.formats.segment import Head, Place, SegmentRef
from dataver.formats.state import NamedRoot, Seen
from dataver.model.names import ObjectName, StructureId
from dataver.store.bucket import Bucket, KeyMissingError
from dataver.store.journal import Draft, Journal, Record
from dataver.store.local import LocalCopies
from dataver.store.packcheck import PackCheck, missing_of
from dataver.store.publishing import publish
from dataver.store.push import Parts, Push
from dataver.store.ranges import Range, read_ranges
from dataver.store.removal import Removal
from dataver.store.segments import Segments

_JOBS = 8
_LATELY_S = 86_400


class Surroundings(NamedTuple):
    """What a remote needs beside its bucket: the disk, the clock, and a folder for disposable copies."""

    disk: Disk
    clock: Clock
    folder: str | None
    """Where copies are kept, below it in one folder per remote; None: in memory only."""
    alias: str = ""
    """What tells this remote from another with the same id; empty for all but copies."""


IN_MEMORY = Surroundings(Disk(), Clock(), None)


class Remote:
    """One remote as this clone sees it.  `refresh` before anything is asked."""

    def __init__(
        self, bucket: Bucket, description: Description, around: Surroundings, *, seen: Seen | None
    ) -> None:
        """Use `create` or `open`."""
        self.bucket = bucket
        self.remote_id = description.remote_id
        self.has_one_writer = description.has_one_writer
        if self.has_one_writer:
            # What was probed when the remote was made: this store may ignore the condition.
            bucket.has_create_if_absent = False
        self._clock = around.clock
        self.local_name = f"{self.remote_id}-{around.alias}" if around.alias else self.remote_id
        """Under which this clone keeps what it knows of the remote."""
        folder = f"{around.folder}/{self.local_name}" if around.folder else None
        self._local = LocalCopies(folder, around.disk)
        self._journal = Journal(bucket, self.remote_id, seen=seen, local=self._local, clock=around.clock)
        self._segments = Segments(bucket, self._local, _JOBS)
        self._check = PackCheck(bucket, self._local, around.clock)

    # -- opening ----------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, bucket: Bucket, *, around: Surroundings = IN_MEMORY, has_one_writer: bool | None = None
    ) -> Remote:
        """Make *bucket* a remote, once, or open the one that it already is.

        *has_one_writer* says that a probe found no create-if-absent.  Raises: RemoteError.
        """
        if has_one_writer is None:
            has_one_writer = not bucket.has_create_if_absent
        bucket.prepare()
        description = Description(os.urandom(16).hex(), has_one_writer)
        bucket.put_new(layout.DESCRIPTION_KEY, layout.encode_description(description))
        return cls.open(bucket, around=around)

    @classmethod
    def open(
        cls,
        bucket: Bucket,
        *,
        expected_id: str | None = None,
        seen: Seen | None = None,
        around: Surroundings = IN_MEMORY,
    ) -> Remote:
        """Open the remote in *bucket*; one request.

        *expected_id* is what the committed config pins, *seen* what this clone remembers.
        Raises: NotARemoteError when there is none or another one; WrongEndpointError, FormatError,
        RemoteError.
        """
        try:
            data = bucket.get(layout.DESCRIPTION_KEY, 0, layout.MAX_TEXT_SIZE + 1)
        except KeyMissingError as error:
            raise NotARemoteError(bucket.url, "holds no dataver remote") from error
        if data.lstrip()[:1] == b"<":
            raise WrongEndpointError(bucket.url, "a web page")
        description = layout.decode_description(data)
        if expected_id is not None and description.remote_id != expected_id:
            raise NotARemoteError(
                bucket.url,
                f"is another remote ({description.remote_id[:8]}) than the config pins ({expected_id[:8]})",
                hint="dataver remote list",
            )
        return cls(bucket, description, around, seen=seen)

    def close(self) -> None:
        """Let go of what is held in memory and mapped from local copies."""
        self._segments.set_live(())

    # -- the journal ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """For people: without credentials."""
        return self.bucket.url

    @property
    def seen(self) -> Seen:
        """What the clone must remember (`formats.state.encode_seen`) once it has obeyed the records."""
        return self._journal.seen

    def refresh(self, *, thoroughly: bool = False) -> bool:
        """Read what is new in the journal; tell whether anything was.

        One request when nothing is.  Raises: RemoteStateError for a journal that was rolled back,
        forked or altered; FormatError, UnsupportedError, RemoteError.
        """
        is_new = self._journal.refresh(thoroughly=thoroughly)
        self._segments.set_live(self._journal.state.segments)
        self._check.forget()
        if is_new:
            self._segments.sweep()
        return is_new

    def roots(self) -> Mapping[StructureId, NamedRoot]:
        """Return the roots that pushes named lately, with when and for which repository."""
        return self._journal.state.roots

    def repos(self) -> frozenset[str]:
        """Return the ids of all repositories that ever pushed here."""
        return self._journal.state.repos

    def live_segments(self) -> tuple[SegmentRef, ...]:
        """Return the segments that are live now."""
        return self._segments.live

    def records(self) -> tuple[Record, ...]:
        """Return the journal's erasure records, neither folded nor verified."""
        return self._journal.records()

    def told(self) -> frozenset[bytes]:
        """Return the commitments that pushes say they left out of leaves."""
        return self._journal.state.told

    def are_named_lately(self, roots: Collection[bytes], repo_id: str) -> bool:
        """Tell whether all *roots* were named within a day: then a push of nothing else needs no entry."""
        since = self._clock.now_s() - _LATELY_S
        named = self._journal.state.roots
        return all(
            (found := named.get(StructureId(root))) is not None
            and found.repo_id == repo_id
            and found.time_s >= since
            for root in roots
        )

    # -- objects ----------------------------------------------------------------------------------

    def find(
        self, names: Collection[ObjectName], without: Set[bytes] = frozenset()
    ) -> dict[ObjectName, Place]:
        """Return where those of *names* lie that a live segment holds, some ten thousand at a time.

        Packs in *without* (that proved damaged) count as not there.  Raises: RemoteError, FormatError.
        """
        return self._parts().asked(lambda: self._segments.find(names, without))

    def expect(self, count: int) -> None:
        """Say that about *count* objects are looked for soon; saves requests, and costs none."""
        self._segments.expect(count)

    def missing(self, names: Sequence[ObjectName]) -> list[ObjectName]:
        """Return the *names* that the remote lacks, in their order.

        The others are in a live segment and their packs were found whole.  Raises: RemoteError.
        """
        return self._parts().asked(lambda: missing_of(names, self._segments, self._check))

    def complete_roots(self, names: Sequence[ObjectName]) -> set[ObjectName]:
        """Return those of the root *names* of which surely everything is here, at the cost of one check.

        A root in a live segment is complete, since roots come last; it still is when no pack of
        any live segment is lost.  When one is, nothing is sure: ask `missing` for every object.
        """
        packs = self.pack_sizes()
        if self._check.lost(packs, len(packs)):
            return set()
        return set(self.find(names))

    def lost_packs(self) -> set[StructureId]:
        """Return the packs of live segments that are gone or of another size."""
        packs = self.pack_sizes()
        return self._check.lost(packs, len(packs))

    def doubt_packs(self) -> None:
        """Look for every pack anew from now on, whatever was seen of it before."""
        self._check.doubt()

    def read_pack(self, pack_id: StructureId, size: int) -> bytes:
        """Return a whole pack of *size* bytes, not verified.

        Raises: MissingObjectError, CorruptObjectError for another size; RemoteError.
        """
        what = f"pack {pack_id.hex()[:12]}"
        try:
            data = self.bucket.get(layout.pack_key(pack_id), 0, size + 1)
        except KeyMissingError as error:
            raise MissingObjectError(what, self.url) from error
        if len(data) != size:
            raise CorruptObjectError(what, self.url)
        return data

    def pack_sizes(self) -> Mapping[StructureId, int]:
        """Return every pack that a live segment names, with its size in bytes."""
        return self._parts().asked(self._segments.packs)

    def segment_rows(self) -> Iterator[tuple[Head, memoryview]]:
        """Yield head and rows of each live segment, one at a time.  Raises: FormatError, RemoteError."""
        for ref in self._segments.live:
            yield self._segments.rows_of(ref)

    def rows_of(self, ref: SegmentRef) -> tuple[Head, memoryview]:
        """Return head and rows of one live segment.  Raises: FormatError, MissingObjectError, RemoteError."""
        return self._segments.rows_of(ref)

    def names_of_kind(self, kind: int) -> Iterator[ObjectName]:
        """Yield the names of one kind that live segments list, those in several packs more than once."""
        for head, rows in self.segment_rows():
            low = 0
            for run, count in head.runs:
                if run[0] == kind:
                    yield from segment.names_of(
                        rows[low * segment.ROW_SIZE : (low + count) * segment.ROW_SIZE]
                    )
                low += count

    def entries_since(self, seq: int) -> Sequence[tuple[Entry, Commit | None]]:
        """Return the journal's entries after number *seq*, verified."""
        return self._journal.entries_since(seq)

    def now_s(self) -> float:
        """Return the time by our own clock, in seconds since 1970."""
        return self._clock.now_s()

    def last_entry_copy(self) -> bytes | None:
        """Return this clone's own copy of the journal entry `seen`, if it has one."""
        return self._journal.copy_of_last()

    def segment_copy(self, ref: SegmentRef) -> bytes | None:
        """Return this clone's sound copy of a live segment, if it has one."""
        return self._segments.copy_of(ref)

    def condemn(self, packs: Collection[StructureId]) -> None:
        """Take packs that proved damaged for lost: a push leaves them out once all of it lies elsewhere."""
        self._check.condemn(packs)
        self.lost_packs()

    def read_ranges(self, ranges: Sequence[Range], jobs: int = _JOBS) -> list[bytes | DataverError]:
        """Return the bytes of each range, in order, not verified; a failed one as its error.

        Ranges of one pack that lie near each other are read together.  Raises: RemoteError where
        the remote cannot be reached.
        """
        return read_ranges(self.bucket, ranges, jobs)

    # -- writing ----------------------------------------------------------------------------------

    def begin(self, writer: str, repo_id: str) -> Push:
        """Begin a push: lease first, then what is new in the journal, then what a broken push left.

        *writer* names the clone; the lease's name adds something random.  Use it in a `with`.
        Raises: RemoteError, RemoteStateError, LockTimeoutError.
        """
        return Push(self._parts(), writer, repo_id)

    def begin_removal(self, writer: str, repo_id: str) -> Removal:
        """Begin a removal: lease first, then what is new in the journal.  Use it in a `with`.

        Raises: RemoteError, RemoteStateError, LockTimeoutError.
        """
        return Removal(self._parts(), writer, repo_id)

    def clients(self) -> dict[str, tuple[int, float]]:
        """Return for each clone that ever said so the last entry that it applied, and when it said it.

        By clone id; seconds since 1970 by the store's clock.  Raises: RemoteError.
        """
        found: dict[str, tuple[int, float]] = {}
        for info in self.bucket.list(layout.CLIENTS_PREFIX):
            try:
                seq = layout.decode_client(self.bucket.get(info.key, 0, layout.MAX_TEXT_SIZE))
            except KeyMissingError:
                continue
            found[info.key.removeprefix(layout.CLIENTS_PREFIX)] = seq, info.modified_s
        return found

    def hash_at(self, seq: int) -> bytes:
        """Return the hash of entry *seq*, proven by the chain.  Raises: RemoteStateError, RemoteError."""
        return self._journal.hash_at(seq)

    def publish(self, draft: Draft, is_there: Callable[[Record], bool]) -> int:
        """Append an erasure record unless one of the journal's *is_there*; return its entry's number.

        Raises: RemoteError, LockTimeoutError.
        """
        return publish(self._parts(), draft, is_there)

    def _parts(self) -> Parts:
        return Parts(
            self.bucket,
            self._journal,
            self._segments,
            self._check,
            self._local,
            self._clock,
            self.has_one_writer,
        )

    def secret(self) -> Secret | None:
        """Return the repository secret that lies here, None where there is none.

        Raises: FormatError, UnsupportedError, RemoteError.
        """
        try:
            data = self.bucket.get(layout.SECRET_KEY, 0, keys.MAX_SIZE + 1)
        except KeyMissingError:
            return None
        return keys.decode_secret(data, layout.SECRET_KEY)

    def put_secret_if_absent(self, secret: Secret) -> Secret:
        """Store the repository secret where there is none; return the one that lies here now.

        The caller refuses when it is another one.  Raises: FormatError, RemoteError.
        """
        self.bucket.put_new(layout.SECRET_KEY, keys.encode_secret(secret))
        found = self.secret()
        if found is None:
            raise RemoteStateError(self.url, "its secret vanished")
        return found

    def register(self, repo_id: str, clone_id: str, *, is_writer: bool = False) -> None:
        """Say which entry this clone applied last; without permission it counts as silent.

        A writer also registers its repository.
        """
        if is_writer:
            self.bucket.put_new(layout.repo_key(repo_id), b"")
        try:
            self.bucket.put(layout.client_key(clone_id), layout.encode_client(repo_id, self.seen.seq))
        except RemoteError:
            return
