"""Trees as bytes: entries, leaves intact and redacted, roots with their guide.

A leaf's id is a hash over salted commitments to its entries, so that an entry can be erased
and everything above still verifies.  See docs/format.md, chapter "Trees"; the construction is
that of redactable signatures over a salted Merkle list (Johnson et al., 2002).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Annotated, NamedTuple

import msgspec

from dataver.errors import FormatError, HostileInputError, UnsupportedError
from dataver.hashing import BLAKE3, DIGEST_SIZES, Buffer, derive, deriver, keyed
from dataver.model.names import check_order, check_paths
from dataver.model.tree import EMPTY_FOLDER, MAX_LEAF_ENTRIES, SYMLINK, Entry

VERSION = 1
INTACT, REDACTED = 0, 1
KEY_SIZE = 32
SALT_SIZE = 16
COMMITMENT_SIZE = 32
MAX_LEAF_BYTES = 8 * 1024 * 1024
MAX_EXTRA_KEYS = 64
"""Of one entry; each begins with `x-`, its value is text, an integer or a boolean."""

# Sizes stand in the types, so that msgspec refuses a hostile leaf before it builds much of it.
_Salt = Annotated[bytes, msgspec.Meta(min_length=SALT_SIZE, max_length=SALT_SIZE)]
_Id = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Most = msgspec.Meta(max_length=MAX_LEAF_ENTRIES)
_Plain = tuple[bytes, int, bytes | None, int]
_Extra = Annotated[dict[str, bool | int | str], msgspec.Meta(min_length=1, max_length=MAX_EXTRA_KEYS)]
_encode = msgspec.msgpack.Encoder(order="sorted").encode
_decode_intact = msgspec.msgpack.Decoder(tuple[int, int, _Id, Annotated[list[_Plain], _Most]]).decode
_decode_extended = msgspec.msgpack.Decoder(tuple[int, int, _Id, Annotated[list[msgspec.Raw], _Most]]).decode
_decode_redacted = msgspec.msgpack.Decoder(
    tuple[
        int,
        int,
        Annotated[list[tuple[_Salt, msgspec.Raw]], _Most],
        Annotated[list[tuple[_Id, _Salt, msgspec.Raw]], _Most],
        Annotated[list[_Id], _Most],
    ]
).decode
_decode_substitute = msgspec.msgpack.Decoder(tuple[_Id, _Salt, msgspec.Raw]).decode
_decode_plain_entry = msgspec.msgpack.Decoder(_Plain).decode
_decode_extended_entry = msgspec.msgpack.Decoder(tuple[bytes, int, bytes | None, int, _Extra]).decode

# Calling this gives c_i of salt | entry.
_commit = deriver("dataver v1 entry")


class Substitute(NamedTuple):
    """An entry that stands for another one by a signed record: rows erased from a table."""

    commitment: bytes
    """Of the entry that it replaces; part of the leaf's id."""
    salt: bytes
    entry: Entry


class Leaf(NamedTuple):
    """A verified leaf as it is stored."""

    leaf_id: bytes
    key: bytes
    """32 bytes; empty in a redacted leaf, where no key may remain."""
    entries: list[Entry]
    """Survivors, in path order; substitutes are not among them."""
    commitments: list[bytes]
    """Of the survivors, in the order of `entries`."""
    salts: list[bytes]
    substitutes: tuple[Substitute, ...]
    erased: tuple[bytes, ...]
    """Commitments of erased entries, ascending."""

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.entries) + len(self.substitutes) + len(self.erased)

    @property
    def view(self) -> list[Entry]:
        """The entries that a reader sees: survivors and substitutes, in path order."""
        if not self.substitutes:
            return self.entries
        return sorted([*self.entries, *(s.entry for s in self.substitutes)], key=itemgetter(0))


def encode_entry(entry: Entry) -> bytes:
    """Return the canonical msgpack of *entry*."""
    return _encode(entry if entry.extra else entry[:4])


def path_of_encoded(encoded: bytes) -> bytes:
    """Return the path of an entry as `encode_entry` gives it, without decoding the rest."""
    start = 3 if encoded[1] == 0xC4 else 4  # msgpack's bin 8, or bin 16: a path has 4,096 bytes at most
    return encoded[start : start + int.from_bytes(encoded[2:start], "big")]


def leaf_key(tree_key: bytes, encoded: Iterable[bytes]) -> bytes:
    """Return the leaf key that every clone with the same *tree_key* draws for the same entries."""
    return keyed(tree_key, b"".join(encoded), KEY_SIZE)


def build_leaf(entries: Sequence[Entry], key_of: Callable[[list[bytes]], bytes]) -> tuple[bytes, bytes]:
    """Return (leaf id, stored bytes) of an intact leaf of *entries*, sorted and checked.

    *key_of* gives the leaf's key for its encoded entries.
    """
    encoded = [encode_entry(e) for e in entries]
    key = key_of(encoded)
    leaf_id = _leaf_id(commitments_of(key, encoded))
    return leaf_id, b"\x94\x01\x00" + _encode(key) + array_header(len(encoded)) + b"".join(encoded)


def commitments_of(key: bytes, encoded: Sequence[bytes]) -> list[bytes]:
    """Return the commitments that *encoded* entries have in an intact leaf with *key*, in their order."""
    return [_commit(salt + one) for salt, one in zip(_salts(key, len(encoded)), encoded, strict=True)]


def array_header(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    return b"\xdc" + struct.pack(">H", count) if count < 65536 else b"\xdd" + struct.pack(">I", count)


def _salts(key: bytes, count: int) -> list[bytes]:
    stream = keyed(key, b"", SALT_SIZE * count) if count else b""
    return [stream[n : n + SALT_SIZE] for n in range(0, len(stream), SALT_SIZE)]


def _leaf_id(commitments: Iterable[bytes]) -> bytes:
    return derive("dataver v1 leaf", b"".join(sorted(commitments)))


def decode_leaf(data: Buffer, leaf_id: bytes, count: int | None = None) -> Leaf:
    """Return the leaf in *data*, verified against its id and, where known, its count of entries.

    Raises: FormatError when it is damaged, HostileInputError for a forbidden path,
    UnsupportedError for a later version.
    """
    if len(data) > MAX_LEAF_BYTES:
        raise FormatError("leaf", f"{len(data)} bytes long")
    try:
        leaf = _intact_leaf(data) if _layout(data) == INTACT else _redacted_leaf(data)
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FormatError(f"leaf {leaf_id.hex()[:12]}", str(error)) from error
    if leaf.leaf_id != leaf_id:
        raise FormatError(f"leaf {leaf_id.hex()[:12]}", "its entries give another id")
    if count is not None and leaf.count != count:
        raise FormatError(f"leaf {leaf_id.hex()[:12]}", f"{leaf.count} entries, the root says {count}")
    return leaf


def _layout(data: Buffer) -> int:
    head = bytes(data[:3])
    if len(head) < 3 or head[0] & 0xF0 != 0x90 or head[1] > 127:
        raise ValueError("no leaf")
    if head[1] != VERSION or head[2] not in (INTACT, REDACTED):
        raise UnsupportedError("leaf version", f"{head[1]}.{head[2]}")
    return head[2]


def _intact_leaf(data: Buffer) -> Leaf:
    try:
        _, _, key, plain = _decode_intact(data)
        entries = [Entry(path, kind, oid, size) for path, kind, oid, size in plain]  # type: ignore[arg-type]
        encoded = [_encode(row) for row in plain]
    except msgspec.ValidationError:  # an entry with extra keys: the slower, general way
        _, _, key, rows = _decode_extended(data)
        entries = [_entry_of(row) for row in rows]
        encoded = [encode_entry(e) for e in entries]
    if b"\x94\x01\x00" + _encode(key) + array_header(len(encoded)) + b"".join(encoded) != data:
        raise ValueError("not the one valid encoding")
    if not entries:
        raise ValueError("a leaf without entries")
    check_entries(entries)
    salts = _salts(key, len(encoded))
    commitments = [_commit(s + e) for s, e in zip(salts, encoded, strict=True)]
    return Leaf(_leaf_id(commitments), key, entries, commitments, salts, (), ())


def _redacted_leaf(data: Buffer) -> Leaf:
    _, _, rows, replaced, erased = _decode_redacted(data)
    entries = [_entry_of(row) for _, row in rows]
    salts = [salt for salt, _ in rows]
    substitutes = tuple(Substitute(c, salt, _entry_of(row)) for c, salt, row in replaced)
    leaf = Leaf(b"", b"", entries, [], salts, substitutes, tuple(erased))
    if encode_leaf(leaf) != data:
        raise ValueError("not the one valid encoding")
    if leaf.count > MAX_LEAF_ENTRIES:
        raise ValueError(f"{leaf.count} entries")
    # Apart: a substitute among the survivors' paths must not hide that those are out of order.
    check_entries(entries)
    check_entries(leaf.view)
    commitments = [_commit(s + encode_entry(e)) for s, e in zip(salts, entries, strict=True)]
    everything = sorted([*commitments, *(s.commitment for s in substitutes), *erased])
    if any(a == b for a, b in zip(everything, everything[1:], strict=False)):
        raise ValueError("a commitment stands twice")
    if not substitutes and not erased:
        raise ValueError("a redacted leaf that lacks nothing")
    return leaf._replace(leaf_id=_leaf_id(everything), commitments=commitments)


def _entry_of(row: msgspec.Raw) -> Entry:
    head = bytes(memoryview(row)[:1])
    if head == b"\x94":
        return Entry._make((*_decode_plain_entry(row), None))
    path, kind, oid, size, extra = _decode_extended_entry(row)
    for key in extra:
        if not key.startswith("x-"):
            raise UnsupportedError("key of a tree entry", key)
    return Entry(path, kind, oid, size, extra)  # type: ignore[arg-type]


def check_entries(entries: Sequence[Entry]) -> None:
    """Check the one rule for trees, on writing as on reading: names, order, kinds, oids, sizes.

    Raises: HostileInputError, UnsupportedError.
    """
    if len(entries) > MAX_LEAF_ENTRIES:
        raise HostileInputError("leaf", f"{len(entries)} entries")
    paths = [e[0] for e in entries]
    check_paths(paths)
    check_order(paths)
    blake3_size = 1 + DIGEST_SIZES[BLAKE3]
    for _, kind, oid, size, _extra in entries:
        if kind == EMPTY_FOLDER:
            if oid is not None or size:
                raise HostileInputError("empty folder", "has content")
        elif kind > EMPTY_FOLDER or kind < 0:
            raise UnsupportedError("entry kind", kind)
        elif oid is None or size < 0 or size >= 1 << 63:
            raise HostileInputError("entry", "a file without content id, or of an impossible size")
        elif len(oid) != blake3_size or oid[0] != BLAKE3:
            if not oid or oid[0] not in DIGEST_SIZES or len(oid) != 1 + DIGEST_SIZES[oid[0]]:
                raise UnsupportedError("hash algorithm", oid[:1].hex())
        if kind == SYMLINK and size > 4096:
            raise HostileInputError("symlink", f"a target of {size} bytes")


def encode_leaf(leaf: Leaf) -> bytes:
    """Return the stored bytes of *leaf*, intact or redacted."""
    if leaf.key:
        return _encode((VERSION, INTACT, leaf.key, [e if e.extra else e[:4] for e in leaf.entries]))
    rows = [(s, e if e.extra else e[:4]) for s, e in zip(leaf.salts, leaf.entries, strict=True)]
    subs = [(s.commitment, s.salt, s.entry if s.entry.extra else s.entry[:4]) for s in leaf.substitutes]
    if [s[0] for s in subs] != sorted({s[0] for s in subs}):
        raise ValueError("substitutes out of order")
    if list(leaf.erased) != sorted(set(leaf.erased)):
        raise ValueError("erased entries out of order")
    return _encode((VERSION, REDACTED, rows, subs, leaf.erased))


def substitute_commitment(substitute: Substitute) -> bytes:
    """Return c' of the entry that stands for another."""
    return _commit(substitute.salt + encode_entry(substitute.entry))


def encode_substitute(substitute: Substitute) -> bytes:
    """Return a substitute alone, as a redacted leaf holds it."""
    entry = substitute.entry if substitute.entry.extra else substitute.entry[:4]
    return _encode((substitute.commitment, substitute.salt, entry))


def decode_substitute(data: bytes) -> Substitute:
    """Return the substitute in *data*.  Raises: ValueError, UnsupportedError, HostileInputError."""
    commitment, salt, row = _decode_substitute(data)
    found = Substitute(commitment, salt, _entry_of(row))
    check_entries([found.entry])
    if encode_substitute(found) != data:
        raise ValueError("not the one valid encoding")
    return found
