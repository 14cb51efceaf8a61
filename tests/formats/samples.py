"""Fixed values of every container: what the golden files hold."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.formats import codec, pack
from dataver.formats.erasure import Record, encode_record, encode_signed
from dataver.formats.keys import Secret, encode_secret
from dataver.formats.pointer import Pointer, encode_pointer
from dataver.formats.recipe import Recipe, encode_recipe
from dataver.formats.redaction import Erased, redact
from dataver.formats.root import encode_root
from dataver.formats.tree import (
    Leaf,
    Substitute,
    build_leaf,
    decode_leaf,
    encode_leaf,
    leaf_key,
    substitute_commitment,
)
from dataver.hashing import BLAKE3, MD5, XXH128, digest, xxh3_64
from dataver.model.names import ObjectName, Oid, blob_name, chunk_name, leaf_name, oid_of_digest
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, FILE, SYMLINK, Entry, LeafRef

SECRET = Secret(bytes(range(32)))


def oid(content: bytes, algorithm: int = BLAKE3) -> Oid:
    """Give the oid of *content*."""
    return oid_of_digest(algorithm, digest(algorithm, content))


def file(path: bytes, content: bytes, kind: int = FILE, algorithm: int = BLAKE3) -> Entry:
    """Give the entry of a file at *path*."""
    return Entry(path, kind, oid(content, algorithm), len(content))


ENTRIES: tuple[Entry, ...] = (
    file(b"a.txt", b"alpha\n"),
    file(b"bin/run", b"#!/bin/sh\n", EXECUTABLE),
    file(b"caf\xc3\xa9", b"", FILE),
    file(b"latin\xe9", b"one byte that is no UTF-8\n"),
    Entry(b"leer", EMPTY_FOLDER, None, 0),
    file(b"link", b"bin/run", SYMLINK),
    file(b"old.csv", b"1,2\n", FILE, MD5),
    file(b"train/quick.bin", b"quick", FILE, XXH128),
    Entry(b"train/size", FILE, oid(b"large"), 5_000_000_000),
)
EXTENDED: tuple[Entry, ...] = (
    file(b"plain", b"plain"),
    Entry(b"with", FILE, oid(b"with"), 4, {"x-from": "elsewhere", "x-n": 7, "x-yes": True}),
)


def leaf_of(entries: Sequence[Entry], secret: Secret = SECRET) -> tuple[bytes, bytes]:
    """Give (leaf id, stored bytes) of *entries* as every clone with *secret* makes them."""
    return build_leaf(entries, lambda encoded: leaf_key(secret.tree_key, encoded))


def loaded(entries: Sequence[Entry]) -> Leaf:
    """Give the verified leaf of *entries*."""
    leaf_id, data = leaf_of(entries)
    return decode_leaf(data, leaf_id)


def redacted_leaf() -> Leaf:
    """Give the sample leaf without its second and last entry."""
    whole = loaded(ENTRIES)
    return redact(whole, Erased(frozenset((whole.commitments[1], whole.commitments[-1])), {}))


def replaced_leaf() -> Leaf:
    """Give the sample leaf with one entry replaced and one erased."""
    whole = loaded(ENTRIES)
    instead = Substitute(whole.commitments[6], bytes(16), file(b"old.csv", b"2\n"))
    erased = Erased(
        frozenset((whole.commitments[0],)), {whole.commitments[6]: substitute_commitment(instead)}
    )
    return redact(whole, erased, [instead])


def root() -> tuple[bytes, bytes]:
    """Give (root id, stored bytes) of a tree of two leaves."""
    return encode_root(
        [LeafRef(leaf_of(ENTRIES)[0], len(ENTRIES)), LeafRef(leaf_of(EXTENDED)[0], 2)], [b"", b"x"]
    )


def blank_root() -> tuple[bytes, bytes]:
    """Give the same root with its guide blanked, as an erasure leaves it."""
    return encode_root([LeafRef(leaf_of(ENTRIES)[0], len(ENTRIES)), LeafRef(leaf_of(EXTENDED)[0], 2)], [])


PACKED: dict[ObjectName, bytes] = {
    blob_name(oid(b"alpha\n")): b"alpha\n",
    blob_name(oid(b"")): b"",
    blob_name(oid(b"quick", XXH128)): b"quick",
    blob_name(oid(b"text " * 1000)): b"text " * 1000,
    chunk_name(oid(b"part")): b"part",
    leaf_name(leaf_of(ENTRIES)[0]): leaf_of(ENTRIES)[1],
}


def pack_bytes() -> bytes:
    """Give a pack of `PACKED`; how well zstd compresses is not part of the format."""
    body = bytearray(pack.HEADER)
    rows = []
    compressor = codec.Compressor()
    for name, data in PACKED.items():
        kind, stored = compressor.encode(data)
        rows.append(pack.Row(name, kind, 0, len(body), len(stored), len(data), xxh3_64(stored)))
        body += stored
    table = pack.encode_table(bytes(range(100, 116)), rows)
    return bytes(body) + table + pack.encode_footer(table, len(body))


RECIPE = Recipe(9_500_000, ((oid(b"1"), 4_194_304), (oid(b"2"), 4_194_304), (oid(b"3"), 1_111_392)))
QUICK_RECIPE = Recipe(300_001, ((oid(b"1", XXH128), 300_000), (oid(b"2", XXH128), 1)))
POINTER = Pointer(root()[0], True, 1204, "3.1 GB")
FILE_POINTER = Pointer(bytes(31) + b"\x01", False, 1, "0 B")
NOTED_POINTER = Pointer(
    root()[0],
    True,
    9_223_372_036_854_775_807,
    "9.2 EB",
    {"description": 'two\nlines, a "quote", a \\ and a tab\t\x00\x7f', "licence": "CC0", "source": "café"},
)

_COMMITMENTS = tuple(sorted(loaded(ENTRIES).commitments[:2]))
DENY = Record(
    kind="deny",
    uid=bytes.fromhex("1f3a9c2e" + "00" * 12),
    deny=(bytes(16), b"\x01" * 16),
    redact={leaf_of(ENTRIES)[0]: _COMMITMENTS},
    substitute={loaded(ENTRIES).commitments[6]: bytes(32)},
    due="2026-03-02",
    plan=b"\x07" * 32,
    info={"ticket": "REF-1"},
)
RECORDS: dict[str, Record] = {
    "deny": DENY,
    "extend": Record(kind="extend", uid=b"\x02" * 16, of=DENY.uid, deny=(b"\x05" * 16,)),
    "hold": Record(kind="hold", uid=b"\x03" * 16, deny=(b"\x06" * 16,), due="2027-01-31"),
    "release": Record(kind="release", uid=b"\x04" * 16, of=b"\x03" * 16),
    "lift": Record(kind="lift", uid=b"\x05" * 16, of=DENY.uid),
    "close": Record(kind="close", uid=b"\x06" * 16, of=DENY.uid),
}


def golden() -> dict[str, bytes]:
    """Give the bytes of every golden file that needs no signature, by file name."""
    files = {
        "pointer-folder.dv": encode_pointer(POINTER),
        "pointer-file.dv": encode_pointer(FILE_POINTER),
        "pointer-note.dv": encode_pointer(NOTED_POINTER),
        "keys.toml": encode_secret(SECRET),
        "leaf-intact": leaf_of(ENTRIES)[1],
        "leaf-extended": leaf_of(EXTENDED)[1],
        "leaf-redacted": encode_leaf(redacted_leaf()),
        "leaf-replaced": encode_leaf(replaced_leaf()),
        "root": root()[1],
        "root-blank-guide": blank_root()[1],
        "pack": pack_bytes(),
        "recipe": encode_recipe(RECIPE),
        "recipe-xxh128": encode_recipe(QUICK_RECIPE),
    }
    files |= {f"record-{kind}.json": encode_signed(encode_record(record)) for kind, record in RECORDS.items()}
    return files
