"""How a journal is read: find the newest entry, verify the chain back to what is known, build the state.

Nothing new is one request.  A late or fresh clone finds the newest number by hint, gallop and
bisection, takes the state of the newest checkpoint, and reads the few entries after it.

Longer than 300 lines because what was read, what is believed of it and what is kept of it in this
clone are one chain of trust: cut apart, each half would have to be told what the other proved.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataver.disk.disk import Clock
from dataver.errors import DataverError, IntegrityError, RemoteStateError
from dataver.formats import journal, layout
from dataver.formats.commit import MAX_BODY_SIZE, Commit, decode_commit
from dataver.formats.journal import COMMIT, STRIDE, Entry
from dataver.formats.state import RecordRef, Seen, State, decode_state, encode_state, state_after, state_hash
from dataver.store.bucket import Bucket, KeyMissingError, get_all
from dataver.store.journal_steps import newest_number, path_back
from dataver.store.local import LocalCopies

_COPY = "journal"
_COPY_HEADER = struct.Struct("<8sdQI")
_COPY_MAGIC = b"dvjrnl\0\1"
_LOOKED_AT_S = 3600.0
_RECENT = 4 * STRIDE
_JOBS = 16


class Head(NamedTuple):
    """The last entry read, and the state after it."""

    seq: int
    """0 for an empty journal."""
    entry_hash: bytes
    """For an empty journal what entry 1 names in its place."""
    time_s: int
    state: State
    looked_s: float
    """When the entry itself was last seen on the remote, in seconds since 1970."""


class Reader:
    """Reads one remote's journal."""

    def __init__(self, bucket: Bucket, remote_id: str, local: LocalCopies, clock: Clock) -> None:
        self._bucket, self._local, self._clock = bucket, local, clock
        self._empty = Head(0, journal.first_prev(remote_id), 0, State(), 0.0)
        self._recent: dict[int, bytes] = {}
        self.anchor: Seen | None = None
        """What must stand in the journal, while its state is not known yet."""

    def start(self, seen: Seen | None) -> Head:
        """Return the head that the clone's copy gives for *seen*, else the empty one."""
        if seen is None or seen.seq == 0:
            return self._empty
        self.anchor = seen
        data = self._local.read(_COPY)
        try:
            if data is not None:
                return self._head_of_copy(bytes(data), seen)
        except (DataverError, struct.error):
            self._local.remove(_COPY)
        return self._empty

    def _head_of_copy(self, data: bytes, seen: Seen) -> Head:
        magic, looked_s, seq, size = _COPY_HEADER.unpack_from(data)
        entry_data = data[_COPY_HEADER.size : _COPY_HEADER.size + size]
        if magic != _COPY_MAGIC or Seen(seq, journal.entry_hash(entry_data)) != seen:
            return self._empty
        entry = journal.decode_entry(entry_data, seq)
        state = decode_state(data[_COPY_HEADER.size + size :], entry.state)
        self._recent[seq] = entry_data
        return Head(seq, seen.entry_hash, entry.time_s, state, looked_s)

    def copy_of(self, seen: Seen) -> bytes | None:
        """Return this clone's copy of the entry *seen*, None where there is none."""
        data = bytes(self._local.read(_COPY) or b"")
        size = _COPY_HEADER.unpack_from(data)[3] if len(data) >= _COPY_HEADER.size else 0
        entry = data[_COPY_HEADER.size : _COPY_HEADER.size + size]
        return entry if entry and journal.entry_hash(entry) == seen.entry_hash else None

    def _keep(self, head: Head, encoded_state: bytes) -> None:
        data = self._entry_data(head.seq)
        header = _COPY_HEADER.pack(_COPY_MAGIC, head.looked_s, head.seq, len(data))
        self._local.write(_COPY, [header, data, encoded_state])
        for seq in sorted(self._recent)[:-_RECENT]:
            del self._recent[seq]

    def newest(self, head: Head, *, thoroughly: bool) -> Head:
        """Return the newest head.  See `Journal.refresh`."""
        try:
            return self._newest(head, thoroughly=thoroughly)
        except IntegrityError:
            # A bit that flipped on its way looks like a forgery, once: what is one stays one.
            self._recent.clear()
        except DataverError:
            self._recent.clear()
            raise
        try:
            return self._newest(head, thoroughly=thoroughly)
        except DataverError:
            # What was not verified must not be taken for read when the same is tried again.
            self._recent.clear()
            raise

    def _newest(self, head: Head, *, thoroughly: bool) -> Head:
        if head.seq == 0:
            return self._from_nothing()
        following = self._get(head.seq + 1)
        if following is None:
            age_s = self._clock.now_s() - head.looked_s
            if thoroughly or not 0 <= age_s < _LOOKED_AT_S:
                self._check_stands(Seen(head.seq, head.entry_hash))
                head = head._replace(looked_s=self._clock.now_s())
                self._keep(head, encode_state(head.state))
            return head
        return self._advanced(head, newest_number(self._stands, head.seq + 1, 0))

    def appended(self, data: bytes, entry: Entry, state: State, encoded_state: bytes) -> Head:
        """Return the head after an entry of our own."""
        self._recent[entry.seq] = data
        head = Head(entry.seq, journal.entry_hash(data), entry.time_s, state, self._clock.now_s())
        self._keep(head, encoded_state)
        return head

    # -- finding the newest number ----------------------------------------------------------------

    def _get(self, seq: int) -> bytes | None:
        """Return an entry's bytes, None when the number is free."""
        if seq > layout.MAX_SEQ:
            return None
        if seq not in self._recent:
            try:
                # One byte more than an entry may have: what is longer is refused, not read.
                self._recent[seq] = self._bucket.get(layout.journal_key(seq), 0, journal.MAX_ENTRY_SIZE + 1)
            except KeyMissingError:
                return None
        return self._recent[seq]

    def _stands(self, seq: int) -> bool:
        return self._get(seq) is not None

    def _from_nothing(self) -> Head:
        """Read a journal of which no state is known, though perhaps an entry."""
        known = 0
        if self.anchor is not None:
            self._check_stands(self.anchor)
            known = self.anchor.seq
        try:
            hint = layout.decode_hint(self._bucket.get(layout.HINT_KEY, 0, 32))
        except KeyMissingError:
            hint = 0
        newest = newest_number(self._stands, known, hint)
        if newest == 0:
            return self._empty
        return self._advanced(self._empty, newest)

    def _check_stands(self, seen: Seen) -> None:
        self._recent.pop(seen.seq, None)
        data = self._get(seen.seq)
        if data is None:
            raise self._contradiction(f"its journal was rolled back: entry {seen.seq} is gone")
        if journal.entry_hash(data) != seen.entry_hash:
            raise self._contradiction(f"its journal was forked: entry {seen.seq} is another one")

    def _contradiction(self, why: str) -> RemoteStateError:
        return RemoteStateError(self._bucket.url, why)

    # -- verifying --------------------------------------------------------------------------------

    def _advanced(self, base: Head, newest: int) -> Head:
        """Return the head at *newest*, verified back to *base* or to the anchor."""
        checkpoint = newest - newest % STRIDE
        known = Seen(base.seq, base.entry_hash) if base.seq else self.anchor
        if checkpoint > base.seq + STRIDE or (checkpoint and base.seq == 0):
            entry = self._entry(checkpoint)
            if known is not None and known.seq < checkpoint:
                if self._walked_back(entry, known.seq) != known.entry_hash:
                    raise self._contradiction(f"its journal was forked after entry {known.seq}")
            try:
                stored = self._bucket.get(layout.state_key(entry.state))
            except KeyMissingError as error:
                raise self._contradiction(f"the state after entry {checkpoint} is gone") from error
            state = decode_state(stored, entry.state)
            base = Head(checkpoint, journal.entry_hash(self._recent[checkpoint]), entry.time_s, state, 0.0)
        head, encoded_state = self._applied(base, newest)
        self._keep(head, encoded_state)
        self.anchor = Seen(head.seq, head.entry_hash)
        return head

    def _applied(self, base: Head, newest: int) -> tuple[Head, bytes]:
        self._fetch(range(base.seq + 1, newest + 1))
        state, entry_hash, time_s = base.state, base.entry_hash, base.time_s
        claimed = b""
        write_ids: set[str] = set()
        for seq in range(base.seq + 1, newest + 1):
            entry = self._entry(seq)
            if entry.prev != entry_hash:
                raise self._contradiction(f"its journal was forked or altered at entry {seq}")
            if entry.time_s < time_s:
                raise self._contradiction(f"entry {seq} is dated before the one that it follows")
            if entry.write_id in write_ids:
                raise self._contradiction(f"entry {seq} repeats an earlier one")
            write_ids.add(entry.write_id)
            state = state_after(state, entry, self._commit_of(entry))
            entry_hash, time_s, claimed = journal.entry_hash(self._recent[seq]), entry.time_s, entry.state
        encoded = encode_state(state)
        if claimed and state_hash(encoded) != claimed:
            raise self._contradiction(f"entry {newest} claims another state than its journal gives")
        return Head(newest, entry_hash, time_s, state, self._clock.now_s()), encoded

    def _fetch(self, seqs: Iterable[int]) -> None:
        """Get entries in one batch; they must all be there."""
        lacking = [seq for seq in seqs if seq not in self._recent]
        requests = [(layout.journal_key(seq), 0, journal.MAX_ENTRY_SIZE + 1) for seq in lacking]
        for seq, data in zip(lacking, get_all(self._bucket, requests, _JOBS), strict=True):
            if isinstance(data, KeyMissingError):
                raise self._contradiction(f"journal entry {seq} is missing") from data
            self._recent[seq] = data

    def _entry_data(self, seq: int) -> bytes:
        self._fetch([seq])
        return self._recent[seq]

    def _entry(self, seq: int) -> Entry:
        return journal.decode_entry(self._entry_data(seq), seq)

    def _commit_of(self, entry: Entry) -> Commit | None:
        return decode_commit(self._body_of(entry)) if entry.kind == COMMIT else None

    def _body_of(self, entry: Entry) -> bytes:
        if entry.body:
            return entry.body
        try:
            body = self._bucket.get(layout.record_key(entry.body_hash), 0, MAX_BODY_SIZE + 1)
        except KeyMissingError as error:
            raise self._contradiction(f"the body of journal entry {entry.seq} is gone") from error
        return journal.check_outside_body(entry, body)

    def _walked_back(self, entry: Entry, target: int) -> bytes:
        """Return the hash of entry *target* as *entry* proves it, by the longest skips there are."""
        path = path_back(entry.seq, target)
        self._fetch(path)
        found = b""
        for at, following in zip(path, [*path[1:], target], strict=True):
            data = self._recent[at]
            if found and journal.entry_hash(data) != found:
                raise self._contradiction(f"its journal was forked or altered at entry {at}")
            step = journal.decode_entry(data, at)
            found = step.prev if at - following == 1 else dict(step.skips)[at - following]
        return found

    # -- for the journal --------------------------------------------------------------------------

    def hash_at(self, head: Head, seq: int) -> bytes:
        """Return the hash of entry *seq*, verified from *head*."""
        if seq == head.seq:
            return head.entry_hash
        return self._walked_back(self._verified_last(head), seq)

    def chain(self, head: Head, seq: int) -> list[tuple[Entry, Commit | None]]:
        """Return the entries after *seq* up to *head*, verified."""
        self._fetch(range(seq + 1, head.seq + 1))
        found: list[tuple[Entry, Commit | None]] = []
        expected = head.entry_hash
        for at in range(head.seq, seq, -1):
            if journal.entry_hash(self._recent[at]) != expected:
                raise self._contradiction(f"its journal was forked or altered at entry {at}")
            entry = journal.decode_entry(self._recent[at], at)
            expected = entry.prev
            found.append((entry, self._commit_of(entry)))
        return found[::-1]

    def _verified_last(self, head: Head) -> Entry:
        self._check_stands(Seen(head.seq, head.entry_hash))
        return self._entry(head.seq)

    def record_entries(self, refs: Sequence[RecordRef]) -> list[tuple[Entry, bytes]]:
        """Return the entries of erasure records and their bodies, verified."""
        lacking = [ref for ref in refs if not self._has_copy(ref)]
        self._fetch(ref.seq for ref in lacking)
        found = []
        for ref in refs:
            entry = self._entry(ref.seq)
            if journal.record_hash(entry) != ref.record_hash:
                raise self._contradiction(f"journal entry {ref.seq} was altered")
            found.append((entry, self._body_of(entry)))
        for ref in lacking:
            self._local.write(f"record-{ref.seq}", [self._recent[ref.seq]])
        return found

    def _has_copy(self, ref: RecordRef) -> bool:
        if ref.seq in self._recent:
            return True
        copy = self._local.read(f"record-{ref.seq}")
        try:
            if copy is None or journal.record_hash(journal.decode_entry(copy, ref.seq)) != ref.record_hash:
                return False
        except DataverError:
            return False
        self._recent[ref.seq] = bytes(copy)
        return True
