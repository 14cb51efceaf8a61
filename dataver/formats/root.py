"""Roots as bytes: the leaves of a tree in path order, and beside the hash the guide that finds them.

See docs/format.md, chapter "Trees".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated

import msgspec

from dataver.errors import FormatError, UnsupportedError
from dataver.formats.tree import array_header
from dataver.hashing import Buffer, derive
from dataver.model.tree import MAX_LEAF_ENTRIES, LeafRef, Root

VERSION = 1
_Id = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_encode = msgspec.msgpack.Encoder(order="sorted").encode
MAX_ROOT_BYTES = 64 * 1024 * 1024
_ROOT_HEADER = struct.Struct(">6sHI")
_ROOT_MAGIC = b"dvroot"
_decode_root = msgspec.msgpack.Decoder(tuple[int, list[tuple[_Id, int]]]).decode
_decode_guide = msgspec.msgpack.Decoder(list[bytes]).decode


def encode_root(leaves: Sequence[LeafRef], guide: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return (root id, stored bytes: root and guide)."""
    canonical = _encode((VERSION, [tuple(leaf) for leaf in leaves]))
    stored = _ROOT_HEADER.pack(_ROOT_MAGIC, VERSION, len(canonical)) + canonical + _encode(list(guide))
    return derive("dataver v1 root", canonical), stored


def decode_root(data: Buffer, root_id: bytes) -> Root:
    """Return the root in *data*, verified against its id; a guide of another length is dropped.

    Raises: FormatError, UnsupportedError.
    """
    what = f"root {root_id.hex()[:12]}"
    if len(data) > MAX_ROOT_BYTES or len(data) < _ROOT_HEADER.size:
        raise FormatError(what, f"{len(data)} bytes long")
    magic, version, size = _ROOT_HEADER.unpack_from(data)
    if magic != _ROOT_MAGIC:
        raise FormatError(what, "wrong magic")
    if version != VERSION:
        raise UnsupportedError("root version", version)
    view = memoryview(data)
    canonical = bytes(view[_ROOT_HEADER.size : _ROOT_HEADER.size + size])
    if derive("dataver v1 root", canonical) != root_id:
        raise FormatError(what, "its leaves give another id")
    try:
        inner, rows = _decode_root(canonical)
    except msgspec.DecodeError as error:
        raise FormatError(what, str(error)) from error
    if inner != VERSION or _encode((inner, rows)) != canonical:
        raise FormatError(what, "not the one valid encoding")
    if not all(0 < count <= MAX_LEAF_ENTRIES for _, count in rows):
        raise FormatError(what, "an impossible count of entries")
    guide = _guide(view[_ROOT_HEADER.size + size :], len(rows))
    return Root(root_id, tuple(LeafRef(i, n) for i, n in rows), guide)


def _guide(data: Buffer, count: int) -> tuple[bytes, ...]:
    """Return the guide in *data*, or none: it lies outside the hash, so damage costs reads only."""
    header = array_header(count)
    if bytes(data[: len(header)]) != header:
        return ()
    try:
        guide = _decode_guide(data)
    except msgspec.DecodeError:
        return ()
    return () if any(a > b for a, b in zip(guide, guide[1:], strict=False)) else tuple(guide)
