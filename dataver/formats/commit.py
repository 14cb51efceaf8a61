"""What a push, gc or purge changed of a remote: the body of a `commit` entry, as canonical JSON.

See docs/format.md, chapter "Journal".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from dataver.errors import FormatError
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import Buffer
from dataver.model.names import StructureId

MAX_BODY_SIZE = 64 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Commit:
    """What a push, gc or purge changed; every part ascending by id."""

    roots: tuple[StructureId, ...] = ()
    segments_added: tuple[SegmentRef, ...] = ()
    segments_removed: tuple[StructureId, ...] = ()
    packs_added: tuple[PackRef, ...] = ()
    packs_removed: tuple[StructureId, ...] = ()
    redacted: tuple[tuple[StructureId, tuple[bytes, ...]], ...] = ()
    """Leaves that this push redacted, with the commitments it left out."""


class _Segments(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    added: list[tuple[str, int, int]] = []
    removed: list[str] = []


class _Packs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    added: list[tuple[str, int]] = []
    removed: list[str] = []


_NO_PACKS, _NO_SEGMENTS = _Packs(), _Segments()
# The encoder leaves out what *is* the default: these very objects.


class _Commit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    packs: _Packs = _NO_PACKS
    redacted: list[tuple[str, list[str]]] = []
    roots: list[str] = []
    segments: _Segments = _NO_SEGMENTS


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(_Commit).decode


def encode_commit(commit: Commit) -> bytes:
    """Return the one valid encoding of a commit's body.  Raises: ValueError when parts are out of order."""
    if not _is_ordered(commit):
        raise ValueError("ids out of order or twice")
    packs = _Packs(
        added=[(i.hex(), size) for i, size in commit.packs_added],
        removed=[i.hex() for i in commit.packs_removed],
    )
    segments = _Segments(
        added=[(i.hex(), packs, rows) for i, packs, rows in commit.segments_added],
        removed=[i.hex() for i in commit.segments_removed],
    )
    return _encode(
        _Commit(
            packs=_NO_PACKS if packs == _NO_PACKS else packs,
            redacted=[(leaf.hex(), [c.hex() for c in cs]) for leaf, cs in commit.redacted],
            roots=[root.hex() for root in commit.roots],
            segments=_NO_SEGMENTS if segments == _NO_SEGMENTS else segments,
        )
    )


def decode_commit(body: Buffer) -> Commit:
    """Return what a commit's body says.  Raises: FormatError."""
    what = "commit entry"
    if len(body) > MAX_BODY_SIZE:
        raise FormatError(what, f"{len(body)} bytes long")
    try:
        wire = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(what, str(error)) from error
    commit = Commit(
        roots=_ids(what, wire.roots),
        segments_added=tuple(
            SegmentRef(StructureId(parse_hash(what, text)), packs, rows)
            for text, packs, rows in wire.segments.added
        ),
        segments_removed=_ids(what, wire.segments.removed),
        packs_added=tuple(
            PackRef(StructureId(parse_hash(what, text)), size) for text, size in wire.packs.added
        ),
        packs_removed=_ids(what, wire.packs.removed),
        redacted=tuple((StructureId(parse_hash(what, leaf)), _ids(what, cs)) for leaf, cs in wire.redacted),
    )
    if not _is_ordered(commit):
        raise FormatError(what, "ids out of order or twice")
    if any(packs < 0 or rows < 0 for _, packs, rows in commit.segments_added) or any(
        size < 0 for _, size in commit.packs_added
    ):
        raise FormatError(what, "a negative size")
    if encode_commit(commit) != bytes(body):
        raise FormatError(what, "not the one valid encoding")
    return commit


def _is_ordered(commit: Commit) -> bool:
    parts: Iterable[list[bytes]] = (
        list(commit.roots),
        [ref[0] for ref in commit.segments_added],
        list(commit.segments_removed),
        [ref[0] for ref in commit.packs_added],
        list(commit.packs_removed),
        [leaf for leaf, _ in commit.redacted],
        *(list(commitments) for _, commitments in commit.redacted),
    )
    return all(a < b for part in parts for a, b in zip(part, part[1:], strict=False))


def parse_hash(what: str, text: str) -> bytes:
    """Return the bytes of a hash that stands in *what* as 64 hex digits.  Raises: FormatError."""
    if not _HASH.fullmatch(text):
        raise FormatError(what, "a hash is malformed")
    return bytes.fromhex(text)


def _ids(what: str, texts: Iterable[str]) -> tuple[StructureId, ...]:
    return tuple(StructureId(parse_hash(what, text)) for text in texts)
