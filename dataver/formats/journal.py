"""Journal entries: what was added to a remote and removed from it, numbered and chained.

An entry is canonical JSON: keys sorted, no space, no field at its default.  Its body is a commit's
change of what the remote holds, or an erasure record, which is parsed elsewhere and carried here as
it is.  See docs/format.md, chapter "Journal".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from dataver.errors import FormatError, UnsupportedError
from dataver.formats.commit import MAX_BODY_SIZE, decode_commit, parse_hash
from dataver.formats.layout import MAX_SEQ, check_id
from dataver.hashing import Buffer, derive

VERSION = 1
COMMIT = "commit"
SIGNERS = "signers"
ERASURE_KINDS = frozenset(("deny", "extend", "hold", "release", "lift", "close", SIGNERS))
MAX_ENTRY_SIZE = 64 * 1024
MAX_INLINE_BODY = 48 * 1024
"""A longer body lies at `records/<hash>`; a shorter one never does."""
STRIDE = 64
"""Every entry whose number this divides has its state stored."""
SKIP = 8
"""Entries whose number this, or a power of it, divides skip back by as much."""

_HASH = re.compile(r"[0-9a-f]{64}")
_WRITE_ID = re.compile(r"[0-9a-f]{32}")


class Skip(NamedTuple):
    """The hash of the entry that many numbers before."""

    back: int
    entry_hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry."""

    seq: int
    prev: bytes
    """Hash of the entry before; `first_prev` for number 1."""
    time_s: int
    """Whole seconds since 1970, by the store's clock."""
    writer: str
    write_id: str
    """32 random hex digits: an entry found under its number is ours when this is."""
    repo_id: str
    kind: str
    state: bytes
    """Hash of the state after this entry."""
    skips: tuple[Skip, ...] = ()
    body: bytes = b""
    """Canonical JSON; empty when it lies at `records/<body_hash>`."""
    body_hash: bytes = b""

    @property
    def is_checkpoint(self) -> bool:
        return self.seq % STRIDE == 0


class _Version(msgspec.Struct):
    version: int
    kind: str = COMMIT


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    body: msgspec.Raw
    kind: str
    prev: str
    repo: str
    seq: int
    state: str
    time: int
    version: int
    write: str
    writer: str
    skips: list[tuple[int, str]] = []


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_version = msgspec.json.Decoder(_Version).decode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_any = msgspec.json.Decoder().decode


def first_prev(remote_id: str) -> bytes:
    """Return what stands for the hash before entry 1: a journal belongs to one remote."""
    return derive("dataver v1 journal start", remote_id.encode())


def entry_hash(data: Buffer) -> bytes:
    """Return the hash of an entry's bytes, which the next entry names."""
    return derive("dataver v1 journal entry", data)


def body_hash(body: Buffer) -> bytes:
    """Return the hash by which a body is stored and remembered."""
    return derive("dataver v1 journal body", body)


def record_hash(entry: Entry) -> bytes:
    """Return the hash of all of an entry but its state, which names erasure records by this hash."""
    return derive("dataver v1 journal record", encode_entry(replace(entry, state=bytes(32))))


def skips_back(seq: int) -> tuple[int, ...]:
    """Return how far entry *seq* skips back: 8, 64, 512 ... where they divide its number."""
    found = []
    back = SKIP
    while seq % back == 0 and back < seq:
        found.append(back)
        back *= SKIP
    return tuple(found)


def encode_entry(entry: Entry) -> bytes:
    """Return the one valid encoding of *entry*.  Raises: FormatError when it has none."""
    body = entry.body if entry.body else b'"' + entry.body_hash.hex().encode() + b'"'
    data = _encode(
        _Entry(
            body=msgspec.Raw(body),
            kind=entry.kind,
            prev=entry.prev.hex(),
            repo=entry.repo_id,
            seq=entry.seq,
            state=entry.state.hex(),
            time=entry.time_s,
            version=VERSION,
            write=entry.write_id,
            writer=entry.writer,
            skips=[(skip.back, skip.entry_hash.hex()) for skip in entry.skips],
        )
    )
    if len(data) > MAX_ENTRY_SIZE:
        raise FormatError(f"journal entry {entry.seq}", f"{len(data)} bytes long")
    return data


def decode_entry(data: Buffer, seq: int) -> Entry:
    """Return the entry that lies under number *seq*; its body is not opened.

    Raises: FormatError when it is damaged, not the one valid encoding or of another number;
    UnsupportedError for a version or kind that this release does not know.
    """
    what = f"journal entry {seq}"
    if len(data) > MAX_ENTRY_SIZE:
        raise FormatError(what, f"{len(data)} bytes long")
    try:
        version = _decode_version(data)
        if version.version != VERSION:
            raise UnsupportedError("journal entry version", version.version)
        if version.kind != COMMIT and version.kind not in ERASURE_KINDS:
            raise UnsupportedError("journal entry kind", version.kind)
        wire = _decode_entry(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(what, str(error)) from error
    body = bytes(wire.body)
    if not (_HASH.fullmatch(wire.prev) and _HASH.fullmatch(wire.state) and _WRITE_ID.fullmatch(wire.write)):
        raise FormatError(what, "a hash or write id is malformed")
    if wire.seq != seq or not 0 < seq <= MAX_SEQ or not 0 <= wire.time < 1 << 40:
        raise FormatError(what, f"says number {wire.seq} and time {wire.time}")
    if tuple(back for back, _ in wire.skips) != skips_back(seq):
        raise FormatError(what, "skips back elsewhere")
    by_hash = body[:1] == b'"'
    entry = Entry(
        seq=seq,
        prev=bytes.fromhex(wire.prev),
        time_s=wire.time,
        writer=check_id(wire.writer),
        write_id=wire.write,
        repo_id=check_id(wire.repo),
        kind=wire.kind,
        state=bytes.fromhex(wire.state),
        skips=tuple(Skip(back, parse_hash(what, text)) for back, text in wire.skips),
        body=b"" if by_hash else body,
        body_hash=parse_hash(what, body[1:-1].decode("ascii", "replace")) if by_hash else body_hash(body),
    )
    if len(body) > MAX_INLINE_BODY or encode_entry(entry) != bytes(data):
        raise FormatError(what, "not the one valid encoding")
    if not by_hash:
        check_body(entry.kind, body)
    return entry


def check_body(kind: str, body: bytes) -> None:
    """Check that *body* is canonical for an entry of *kind*.  Raises: FormatError, UnsupportedError."""
    if kind == COMMIT:
        decode_commit(body)
        return
    try:
        value = _decode_any(body)
        if not isinstance(value, dict) or _encode(value) != body:
            raise FormatError(f"{kind} record", "not the one valid encoding")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"{kind} record", str(error)) from error


def check_outside_body(entry: Entry, body: bytes) -> bytes:
    """Return *body* when it is the one that *entry* names by hash.  Raises: FormatError."""
    if not MAX_INLINE_BODY < len(body) <= MAX_BODY_SIZE or body_hash(body) != entry.body_hash:
        raise FormatError(f"body of journal entry {entry.seq}", "its bytes give another hash")
    check_body(entry.kind, body)
    return body
