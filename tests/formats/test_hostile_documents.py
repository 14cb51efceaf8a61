"""Hostile bytes into every parser: only our errors come out, and memory stays bounded."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable

import msgspec
import pytest

from dataver.errors import DataverError
from dataver.formats import pack
from dataver.formats.config import load_parsed, parse_config
from dataver.formats.erasure import decode_signed
from dataver.formats.keys import decode_secret
from dataver.formats.pointer import decode_pointer
from dataver.formats.recipe import decode_recipe
from dataver.formats.root import decode_root
from dataver.formats.tree import MAX_LEAF_BYTES, decode_leaf
from dataver.hashing import derive
from tests.formats import samples

ROUNDS = 300
FILES = samples.golden()
LEAF_ID = samples.leaf_of(samples.ENTRIES)[0]
EXTENDED_ID = samples.leaf_of(samples.EXTENDED)[0]
ROOT_ID = samples.root()[0]

PARSERS: dict[str, tuple[Callable[[bytes], object], tuple[str, ...]]] = {
    "pointer": (lambda data: decode_pointer(data, "x.dv"), ("pointer-note.dv", "pointer-file.dv")),
    "keys": (lambda data: decode_secret(data, "keys.toml"), ("keys.toml",)),
    "leaf": (lambda data: decode_leaf(data, LEAF_ID), ("leaf-intact", "leaf-redacted", "leaf-replaced")),
    "extended leaf": (lambda data: decode_leaf(data, EXTENDED_ID), ("leaf-extended",)),
    "root": (lambda data: decode_root(data, ROOT_ID), ("root", "root-blank-guide")),
    "pack": (pack.split, ("pack",)),
    "recipe": (decode_recipe, ("recipe", "recipe-xxh128")),
    "record": (lambda data: decode_signed(data, "deny", "record"), ("record-deny.json",)),
    "config": (lambda data: parse_config(data, "config.toml"), ("keys.toml",)),
    "cached config": (load_parsed, ("leaf-intact",)),
}


def mutated(good: bytes, chance: random.Random) -> bytes:
    """Give *good* with a few bytes changed, cut out, repeated or put in."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        length = chance.choice((1, 1, 2, 8, 40))
        piece = chance.choice(
            (b"", chance.randbytes(length), b"\xff" * length, bytes(data[at : at + length]) * 2)
        )
        data[at : at + length] = piece
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_random_bytes_raise_our_errors_only(name: str) -> None:
    parse, _ = PARSERS[name]
    chance = random.Random(name)

    for _ in range(ROUNDS):
        try:
            parse(chance.randbytes(chance.choice((0, 1, 5, 40, 400))))
        except DataverError:
            pass


@pytest.mark.parametrize("name", PARSERS)
def test_altered_good_bytes_raise_our_errors_only(name: str) -> None:
    parse, files = PARSERS[name]
    chance = random.Random(name)

    for file in files:
        for _ in range(ROUNDS):
            try:
                parse(mutated(FILES[file], chance))
            except DataverError:
                pass


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
