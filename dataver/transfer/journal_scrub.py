"""A remote's journal read from its first entry to its last: every entry, long body and stored state.

Reads the remote itself, never this clone's copies.  Which of two entries that contradict each other
was altered is told by the later ones, back from the entry that this clone remembers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dataver.errors import DataverError
from dataver.formats import journal, layout
from dataver.formats.commit import MAX_BODY_SIZE, decode_commit
from dataver.formats.journal import COMMIT, STRIDE, Entry
from dataver.formats.state import (
    MAX_STATE_SIZE,
    Seen,
    State,
    decode_state,
    encode_state,
    state_after,
    state_hash,
)
from dataver.store.bucket import Bucket, KeyMissingError, get_all

_AT_ONCE = 64
_JOBS = 16


class Finding(NamedTuple):
    """One file of a remote that is missing, or not what it should be."""

    key: str
    what: str
    """For people."""
    is_missing: bool
    why: str = ""


@dataclass(slots=True)
class JournalScrub:
    """What was found."""

    entries: int = 0
    size: int = 0
    found: list[Finding] = field(default_factory=list)
    states: dict[str, bytes] = field(default_factory=dict)
    """Key -> bytes of damaged states that follow from the entries: what to store again."""


class _Link(NamedTuple):
    """What is kept of an entry while the chain is verified."""

    own: bytes
    prev: bytes


def scrub_journal(bucket: Bucket, remote_id: str, seen: Seen) -> JournalScrub:
    """Verify all that the journal is made of, up to its end and at least to *seen*.  Raises: RemoteError."""
    scrub = JournalScrub()
    newest = max([seen.seq, *(n for n in map(_number, bucket.list(layout.JOURNAL_PREFIX)) if n)])
    links: dict[int, _Link] = {}
    state: State | None = State()
    for start in range(1, newest + 1, _AT_ONCE):
        seqs = range(start, min(start + _AT_ONCE, newest + 1))
        requests = [(layout.journal_key(seq), 0, journal.MAX_ENTRY_SIZE + 1) for seq in seqs]
        for seq, data in zip(seqs, get_all(bucket, requests, _JOBS), strict=True):
            if isinstance(data, KeyMissingError):
                scrub.found.append(Finding(layout.journal_key(seq), f"journal entry {seq}", is_missing=True))
                state = None
                continue
            scrub.entries += 1
            scrub.size += len(data)
            try:
                entry = journal.decode_entry(data, seq)
            except DataverError as error:
                scrub.found.append(_altered(seq, error.message))
                state = None
                continue
            links[seq] = _Link(journal.entry_hash(data), entry.prev)
            body = _body(bucket, entry, scrub)
            state = None if state is None or body is None else _state_after(state, entry, body)
            if entry.is_checkpoint:
                state = _checkpoint(bucket, entry, state, is_newest=newest - seq < STRIDE, scrub=scrub)
    scrub.found += _chain(links, newest, remote_id, seen)
    return scrub


def _number(info: object) -> int:
    name = str(getattr(info, "key", "")).removeprefix(layout.JOURNAL_PREFIX)
    return int(name) if len(name) == 16 and name.isdigit() else 0


def _altered(seq: int, why: str) -> Finding:
    return Finding(layout.journal_key(seq), f"journal entry {seq}", is_missing=False, why=why)


def _body(bucket: Bucket, entry: Entry, scrub: JournalScrub) -> bytes | None:
    """Return an entry's body, None where it cannot be had."""
    if entry.body:
        return entry.body
    key, what = layout.record_key(entry.body_hash), f"body of journal entry {entry.seq}"
    try:
        data = bucket.get(key, 0, MAX_BODY_SIZE + 1)
        scrub.size += len(data)
        return journal.check_outside_body(entry, data)
    except KeyMissingError:
        scrub.found.append(Finding(key, what, is_missing=True))
    except DataverError as error:
        if error.exit_status == 4:
            raise
        scrub.found.append(Finding(key, what, is_missing=False, why=error.message))
    return None


def _state_after(state: State, entry: Entry, body: bytes) -> State | None:
    try:
        return state_after(state, entry, decode_commit(body) if entry.kind == COMMIT else None)
    except DataverError:
        return None


def _checkpoint(
    bucket: Bucket, entry: Entry, state: State | None, *, is_newest: bool, scrub: JournalScrub
) -> State | None:
    """Compare the stored state with the one that the entries give; return the one to go on with.

    An old state that is gone is no damage: readers take the newest.
    """
    key, what = layout.state_key(entry.state), f"state after journal entry {entry.seq}"
    encoded = encode_state(state) if state is not None else b""
    known = {key: encoded} if encoded and state_hash(encoded) == entry.state else {}
    try:
        data = bucket.get(key, 0, MAX_STATE_SIZE + 1)
        scrub.size += len(data)
        return decode_state(data, entry.state)
    except KeyMissingError:
        if is_newest:
            scrub.found.append(Finding(key, what, is_missing=True))
            scrub.states |= known
    except DataverError as error:
        if error.exit_status == 4:
            raise
        scrub.found.append(Finding(key, what, is_missing=False, why=error.message))
        scrub.states |= known
    return state if known else None


def _chain(links: Mapping[int, _Link], newest: int, remote_id: str, seen: Seen) -> Sequence[Finding]:
    """Return the entries that are not those which later ones, or this clone's memory, name."""
    found = []
    expected = b""
    for seq in range(newest, 0, -1):
        if seq == seen.seq:
            expected = seen.entry_hash
        link = links.get(seq)
        if link is None:
            expected = b""
        elif expected and link.own != expected:
            found.append(_altered(seq, "it is another one than the journal was continued from"))
            expected = b""
        else:
            expected = link.prev
    if expected and newest and expected != journal.first_prev(remote_id):
        found.append(_altered(1, "it begins the journal of another remote"))
    return found
