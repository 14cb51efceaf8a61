"""Objects and packs for tests of remotes, made in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import BLAKE3, blake3_of, xxh3_64
from dataver.model.names import ObjectName, blob_name, oid_of_digest

Object = tuple[ObjectName, bytes]


def objects(count: int, tag: str = "o") -> list[Object]:
    """Return *count* small blobs that differ for every *tag*."""
    contents = [f"{tag} {number}".encode() for number in range(count)]
    return [(blob_name(oid_of_digest(BLAKE3, blake3_of(data))), data) for data in contents]


def names(found: Iterable[Object]) -> list[ObjectName]:
    return [name for name, _ in found]


def make_pack(contents: Sequence[Object], nonce: bytes | None = None) -> tuple[bytes, Table]:
    """Return a pack's bytes and its table."""
    data = bytearray(pack.HEADER)
    rows = []
    for name, content in contents:
        rows.append(Row(name, codec.STORED, 0, len(data), len(content), len(content), xxh3_64(content)))
        data += content
    table = pack.encode_table(nonce or os.urandom(pack.NONCE_SIZE), rows)
    footer = pack.encode_footer(table, len(data))
    return bytes(data) + table + footer, Table(table)
