"""Documents made to exhaust a parser are refused, and memory stays bounded; see also tests/fuzz."""

from __future__ import annotations

import struct
import tracemalloc

import msgspec
import pytest

from dataver.errors import DataverError
from dataver.formats.erasure import decode_signed
from dataver.formats.root import decode_root
from dataver.formats.tree import MAX_LEAF_BYTES, decode_leaf
from dataver.hashing import derive


def _nested(size: int) -> bytes:
    return b"\x91" * size


_KEY = b"\xc4\x20" + bytes(32)
HOSTILE_LEAVES = {
    "an intact leaf of a million empty arrays": b"\x94\x01\x00"
    + _KEY
    + b"\xdd\x00\x10\x00\x00"
    + b"\x90" * (1 << 20),
    "an intact leaf that claims four billion entries": b"\x94\x01\x00" + _KEY + b"\xdd\xff\xff\xff\xff",
    "a deeply nested leaf": b"\x94\x01\x00"
    + _KEY
    + b"\x91\x95\xc4\x01a\x00\xc0\x00\x81\xa3x-a"
    + _nested(100_000),
    "a redacted leaf of a million stubs": b"\x95\x01\x01\x90\x90\xdd\x00\x10\x00\x00"
    + b"\xc4\x00" * (1 << 20),
    "a redacted leaf of arrays": b"\x95\x01\x01\xdd\x00\x10\x00\x00" + b"\x92\xc4\x00\x90" * (1 << 20),
    "a leaf beyond the limit": b"\x94\x01\x00" + bytes(MAX_LEAF_BYTES),
}


@pytest.mark.parametrize("name", HOSTILE_LEAVES)
def test_a_hostile_leaf_is_refused_without_much_memory(name: str) -> None:
    data = HOSTILE_LEAVES[name]
    tracemalloc.start()

    with pytest.raises(DataverError):
        decode_leaf(data, bytes(32))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_hostile_root_is_refused_without_much_memory() -> None:
    canonical = b"\x92\x01\xdd\x00\x10\x00\x00" + b"\x92\xc4\x00\x00" * (1 << 20)
    data = struct.pack(">6sHI", b"dvroot", 1, len(canonical)) + canonical + b"\x90"
    tracemalloc.start()

    with pytest.raises(DataverError):
        decode_root(data, derive("dataver v1 root", canonical))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_a_hostile_guide_is_dropped_without_much_memory() -> None:
    canonical = msgspec.msgpack.encode((1, [(bytes(32), 1)]))
    guide = b"\xdd\x00\x10\x00\x00" + b"\xc4\x02ab" * (1 << 20)
    data = struct.pack(">6sHI", b"dvroot", 1, len(canonical)) + canonical + guide
    tracemalloc.start()

    root = decode_root(data, derive("dataver v1 root", canonical))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert root.guide == ()
    assert peak < 1 << 20


def test_a_deeply_nested_record_is_refused() -> None:
    body = b'{"record":' + b"[" * 100_000 + b"]" * 100_000 + b',"signatures":[]}'

    with pytest.raises(DataverError):
        decode_signed(body, "deny", "record")
