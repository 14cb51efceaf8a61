"""A remote's state after a journal entry, and what a clone remembers of the last entry it saw.

A state follows from the entries alone, so that every client computes the same hash.  See
docs/format.md, chapter "Journal".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from dataver.errors import FormatError, UnsupportedError
from dataver.formats.commit import Commit
from dataver.formats.journal import COMMIT, SIGNERS, Entry, record_hash
from dataver.formats.layout import MAX_SEQ, check_id
from dataver.formats.segment import SegmentRef
from dataver.hashing import Buffer, derive
from dataver.model.names import StructureId

VERSION = 1
MAX_STATE_SIZE = 256 * 1024 * 1024
ROOTS_KEPT_S = 30 * 86_400
"""How long a state keeps a root after it was last named; no gc's grace period is longer."""

_HASH = re.compile(r"[0-9a-f]{64}")
_SEEN = re.compile(
    r"# dataver: the last journal entry seen of this remote; it proves a rollback, so keep it\n"
    r'version = 1\nremote = "([0-9a-z][0-9a-z._-]{0,63})"\n'
    r'seq = ([1-9][0-9]{0,15})\nentry = "([0-9a-f]{64})"\n'
)


class NamedRoot(NamedTuple):
    """When and for which repository a root was last named."""

    time_s: int
    repo_id: str


class RecordRef(NamedTuple):
    """The entry that holds an erasure record, and its `journal.record_hash`."""

    seq: int
    record_hash: bytes


@dataclass(frozen=True, slots=True)
class State:
    """What a remote holds and obeys after an entry."""

    segments: frozenset[SegmentRef] = frozenset()
    roots: Mapping[StructureId, NamedRoot] = field(default_factory=dict)
    records: tuple[RecordRef, ...] = ()
    signers: tuple[RecordRef, ...] = ()
    repos: frozenset[str] = frozenset()
    """Every repository that ever wrote here."""
    told: frozenset[bytes] = frozenset()
    """Commitments that pushes say they left out of leaves: a fresh clone must know them, to tell
    an erased entry from a lost one."""


class Seen(NamedTuple):
    """The last journal entry that a clone saw; number 0 stands for an empty journal."""

    seq: int
    entry_hash: bytes


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    records: list[tuple[int, str]] = []
    repos: list[str] = []
    roots: list[tuple[str, int, str]] = []
    segments: list[tuple[str, int, int]] = []
    signers: list[tuple[int, str]] = []
    told: list[str] = []


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(_State).decode


def state_hash(data: Buffer) -> bytes:
    """Return the hash of an encoded state, which entries name."""
    return derive("dataver v1 journal state", data)


def state_after(state: State, entry: Entry, commit: Commit | None) -> State:
    """Return the state after *entry*; *commit* is its body unless it is an erasure record.

    At a checkpoint the roots are forgotten that were last named `ROOTS_KEPT_S` before it.
    """
    assert (commit is None) == (entry.kind != COMMIT)
    repos = state.repos if entry.repo_id in state.repos else state.repos | {entry.repo_id}
    segments, roots, records, signers = state.segments, state.roots, state.records, state.signers
    told = state.told
    if commit is None:
        ref = RecordRef(entry.seq, record_hash(entry))
        if entry.kind == SIGNERS:
            signers = (*signers, ref)
        else:
            records = (*records, ref)
    else:
        gone = set(commit.segments_removed)
        if gone or commit.segments_added:
            kept = (ref for ref in segments if ref.segment_id not in gone)
            segments = frozenset((*kept, *commit.segments_added))
        if commit.roots:
            roots = {**roots, **dict.fromkeys(commit.roots, NamedRoot(entry.time_s, entry.repo_id))}
        if commit.redacted:
            told = told.union(*(commitments for _, commitments in commit.redacted))
    if entry.is_checkpoint:
        oldest = entry.time_s - ROOTS_KEPT_S
        roots = {root: named for root, named in roots.items() if named.time_s >= oldest}
    return State(segments, roots, records, signers, repos, told)


def encode_state(state: State) -> bytes:
    """Return the one valid encoding of *state*."""
    return _encode(
        _State(
            version=VERSION,
            records=[(seq, h.hex()) for seq, h in state.records],
            repos=sorted(state.repos),
            roots=[(root.hex(), *state.roots[root]) for root in sorted(state.roots)],
            segments=[(i.hex(), packs, rows) for i, packs, rows in sorted(state.segments)],
            signers=[(seq, h.hex()) for seq, h in state.signers],
            told=sorted(one.hex() for one in state.told),
        )
    )


def decode_state(data: Buffer, expected_hash: bytes) -> State:
    """Return the state in *data*, verified against its hash.  Raises: FormatError, UnsupportedError."""
    what = f"state {expected_hash.hex()[:12]}"
    if len(data) > MAX_STATE_SIZE:
        raise FormatError(what, f"{len(data)} bytes long")
    if state_hash(data) != expected_hash:
        raise FormatError(what, "its bytes give another hash")
    try:
        wire = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(what, str(error)) from error
    if wire.version != VERSION:
        raise UnsupportedError("state version", wire.version)
    hashes = (
        *(h for _, h in wire.records),
        *(h for _, h in wire.signers),
        *(root for root, _, _ in wire.roots),
        *(segment for segment, _, _ in wire.segments),
        *wire.told,
    )
    if not all(map(_HASH.fullmatch, hashes)):
        raise FormatError(what, "a hash is malformed")
    state = State(
        segments=frozenset(
            SegmentRef(StructureId(bytes.fromhex(i)), packs, rows) for i, packs, rows in wire.segments
        ),
        roots={
            StructureId(bytes.fromhex(root)): NamedRoot(time_s, check_id(repo))
            for root, time_s, repo in wire.roots
        },
        records=tuple(RecordRef(seq, bytes.fromhex(h)) for seq, h in wire.records),
        signers=tuple(RecordRef(seq, bytes.fromhex(h)) for seq, h in wire.signers),
        repos=frozenset(map(check_id, wire.repos)),
        told=frozenset(map(bytes.fromhex, wire.told)),
    )
    if any(min(packs, rows) < 0 for _, packs, rows in state.segments) or encode_state(state) != bytes(data):
        raise FormatError(what, "not the one valid encoding")
    return state


def encode_seen(remote_id: str, seen: Seen) -> bytes:
    """Return the text of `remotes/<id>.toml`; *seen* is not the empty journal."""
    return (
        "# dataver: the last journal entry seen of this remote; it proves a rollback, so keep it\n"
        f'version = 1\nremote = "{remote_id}"\nseq = {seen.seq}\nentry = "{seen.entry_hash.hex()}"\n'
    ).encode()


def decode_seen(data: bytes, remote_id: str) -> Seen:
    """Return what was last seen of the remote *remote_id*.  Raises: FormatError."""
    match = _SEEN.fullmatch(data.decode("ascii", "replace")) if len(data) <= 4096 else None
    if match is None or match[1] != remote_id or int(match[2]) > MAX_SEQ:
        raise FormatError(f"remotes/{remote_id}.toml", "not what a clone remembers of this remote")
    return Seen(int(match[2]), bytes.fromhex(match[3]))
