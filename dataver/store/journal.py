"""A remote's journal, read and appended to: the only truth about what the remote holds.

Entries have numbers without gaps, each created only if absent and chained to the one before by its
hash.  A clone that remembers the last one it saw notices a journal that was rolled back or forked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from dataver.disk.disk import Clock
from dataver.errors import OfflineError, RemoteError
from dataver.formats import journal, layout
from dataver.formats.commit import Commit, decode_commit
from dataver.formats.journal import COMMIT, Entry, Skip
from dataver.formats.state import Seen, State, encode_state, state_after, state_hash
from dataver.store.bucket import Bucket, KeyMissingError
from dataver.store.journal_reading import Reader
from dataver.store.local import LocalCopies

_LOSSES_BEFORE_WAITING = 3
_SETTLE_S = 120.0
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 10.0


class Draft(NamedTuple):
    """What a writer wants to append; the number and the hashes are the journal's to give."""

    kind: str
    writer: str
    write_id: str
    repo_id: str
    body: bytes


class Record(NamedTuple):
    """An erasure record as it stands in the journal; folding and verifying it is not done here."""

    seq: int
    kind: str
    time_s: int
    repo_id: str
    body: bytes
    """Canonical JSON."""


class Journal:
    """One remote's journal as this clone sees it."""

    def __init__(
        self, bucket: Bucket, remote_id: str, *, seen: Seen | None, local: LocalCopies, clock: Clock
    ) -> None:
        """*seen* is what the clone remembers; None at first contact."""
        self._bucket, self._clock, self._local = bucket, clock, local
        self._reader = Reader(bucket, remote_id, local, clock)
        self._head = self._reader.start(seen)
        self._skips: dict[int, bytes] = {}

    @property
    def seen(self) -> Seen:
        """What to remember: the last entry read."""
        if self._head.seq == 0 and self._reader.anchor is not None:
            return self._reader.anchor
        return Seen(self._head.seq, self._head.entry_hash)

    def copy_of_last(self) -> bytes | None:
        """Return this clone's own copy of the entry `seen`, if it has one."""
        return self._reader.copy_of(self.seen)

    @property
    def state(self) -> State:
        """The state after the last entry read."""
        return self._head.state

    def refresh(self, *, thoroughly: bool = False) -> bool:
        """Read what is new; tell whether anything was.  Nothing new costs one request.

        That the last entry seen still stands there is looked at once an hour, and *thoroughly*.

        Raises: RemoteStateError for a journal that was rolled back, forked or altered; FormatError,
        UnsupportedError; RemoteError where it cannot be seen, which is never "nothing new".
        """
        head = self._reader.newest(self._head, thoroughly=thoroughly)
        is_new = head.seq != self._head.seq
        self._head = head
        return is_new

    def entries_since(self, seq: int) -> list[tuple[Entry, Commit | None]]:
        """Return the entries after *seq* up to the last one read, all of them, verified."""
        return self._reader.chain(self._head, seq)

    def records(self) -> tuple[Record, ...]:
        """Return every erasure record, signers' among them, in the journal's order."""
        entries = self._reader.record_entries(sorted((*self.state.records, *self.state.signers)))
        return tuple(Record(e.seq, e.kind, e.time_s, e.repo_id, body) for e, body in entries)

    def append(
        self,
        draft: Draft,
        *,
        time_s: int,
        overtaken: Callable[[Sequence[tuple[Entry, Commit | None]]], Draft],
    ) -> Entry:
        """Add an entry after the last one and return it.

        When others were quicker, *overtaken* gets their entries and returns the draft that takes
        them into account, or raises; after three losses there is a pause between tries.  A put
        whose answer is lost is settled by reading its number until it answers.

        Raises: RemoteError, and what *overtaken* raises.
        """
        losses = 0
        while True:
            entry, data, state, encoded_state = self._encoded(draft, time_s)
            # What an entry names must be there before it: its state at a checkpoint, a long body.
            if entry.is_checkpoint:
                self._bucket.put(layout.state_key(entry.state), encoded_state)
            if not entry.body:
                self._bucket.put(layout.record_key(entry.body_hash), draft.body)
            if self._put_settled(entry, data):
                self._head = self._reader.appended(data, entry, state, encoded_state)
                self._leave_hint(entry.seq)
                return entry
            before = self._head.seq
            self.refresh(thoroughly=True)
            draft = overtaken(self.entries_since(before))
            losses += 1
            if losses >= _LOSSES_BEFORE_WAITING:
                longest = min(_FIRST_WAIT_S * 2 ** (losses - _LOSSES_BEFORE_WAITING), _LONGEST_WAIT_S)
                self._clock.sleep(random.uniform(0, longest))

    def _encoded(self, draft: Draft, time_s: int) -> tuple[Entry, bytes, State, bytes]:
        seq = self._head.seq + 1
        is_long = len(draft.body) > journal.MAX_INLINE_BODY
        entry = Entry(
            seq=seq,
            prev=self._head.entry_hash,
            time_s=max(time_s, self._head.time_s),
            writer=draft.writer,
            write_id=draft.write_id,
            repo_id=draft.repo_id,
            kind=draft.kind,
            state=b"",
            skips=tuple(Skip(back, self._hash_at(seq - back)) for back in journal.skips_back(seq)),
            body=b"" if is_long else draft.body,
            body_hash=journal.body_hash(draft.body),
        )
        journal.check_body(draft.kind, draft.body)
        commit = decode_commit(draft.body) if draft.kind == COMMIT else None
        state = state_after(self._head.state, entry, commit)
        encoded_state = encode_state(state)
        entry = replace(entry, state=state_hash(encoded_state))
        return entry, journal.encode_entry(entry), state, encoded_state

    def hash_at(self, seq: int) -> bytes:
        """Return the hash of entry *seq*, proven by the chain from the last one read."""
        return self._reader.hash_at(self._head, seq)

    def _hash_at(self, seq: int) -> bytes:
        if seq not in self._skips:
            self._skips[seq] = self._reader.hash_at(self._head, seq)
        return self._skips[seq]

    def _put_settled(self, entry: Entry, data: bytes) -> bool:
        """Put an entry; tell whether it now stands under its number, whatever became of the answer."""
        key = layout.journal_key(entry.seq)
        deadline = self._clock.monotonic() + _SETTLE_S
        wait_s = _FIRST_WAIT_S
        while True:
            failure: RemoteError | None = None
            try:
                if self._bucket.put_new(key, data):
                    return True
            except OfflineError as error:
                failure = error
            try:
                return self._bucket.get(key) == data
            except KeyMissingError:
                # The put did nothing, and may be made again: whatever arrives late finds the number taken.
                pass
            except OfflineError as error:
                failure = error
            if self._clock.monotonic() + wait_s > deadline:
                raise failure or OfflineError(self._bucket.url, f"cannot settle journal entry {entry.seq}")
            self._clock.sleep(random.uniform(wait_s / 2, wait_s))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _leave_hint(self, seq: int) -> None:
        try:
            self._bucket.put(layout.HINT_KEY, layout.encode_hint(seq))
        except RemoteError:
            return  # a hint saves requests, and is worth no failure
