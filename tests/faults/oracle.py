"""An independent reader of what dataver leaves on disk, written from docs/format.md alone.

Imports nothing of `dataver`: a defect that writer and reader share would else pass unseen.  It
reads pointers, the cache and a remote in a folder, compares every object with its name, and puts
versions together again.  `Broken` says what is not as the specification promises.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import xxhash
import zstandard
from blake3 import blake3

BLOB, CHUNK, RECIPE, LEAF, ROOT = 1, 2, 3, 4, 5
STRUCTURE = frozenset((RECIPE, LEAF, ROOT))
BLAKE3 = 1
FILE, EXECUTABLE, SYMLINK, EMPTY_FOLDER = 0, 1, 2, 3
TEMP_PREFIX = ".dataver-tmp-"

Name = tuple[int, bytes]
"""Kind and digest; every object of these tests is named by BLAKE3."""
Tree = dict[str, tuple[int, bytes]]
"""Path -> (kind, content)."""


class Broken(Exception):
    """Something on disk is not what docs/format.md or docs/promises.md says."""


def expect(condition: bool, what: str) -> None:
    """Raise `Broken` unless *condition* holds."""
    if not condition:
        raise Broken(what)


def derived(context: str, data: bytes) -> bytes:
    """Give D(context, data) of chapter 1."""
    return blake3(data, derive_key_context=f"dataver v1 {context}").digest()


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


@dataclass(frozen=True)
class Row:
    """Where an object lies in a pack (chapter 7)."""

    name: Name
    codec: int
    offset: int
    stored: int
    raw: int


def _row(data: bytes, start: int, what: str) -> Row:
    kind, algorithm = data[start], data[start + 1]
    expect(1 <= kind <= 5 and algorithm == BLAKE3, f"{what}: a row with kind {kind}, algorithm {algorithm}")
    expect(data[start + 35] == 0, f"{what}: flags are not 0")
    numbers = [_number(data, start + 36 + 8 * n, 8) for n in range(3)]
    return Row((kind, data[start + 2 : start + 34]), data[start + 34], *numbers)


@dataclass
class Pack:
    """One pack file, held in memory; every object of it was compared with its name where that is possible."""

    where: str
    data: bytes
    pack_id: bytes
    rows: dict[Name, Row]

    def read(self, name: Name) -> bytes:
        row = self.rows[name]
        stored = self.data[row.offset : row.offset + row.stored]
        if row.codec == 0:
            expect(row.stored == row.raw, f"{self.where}: stored and raw size differ")
            return stored
        expect(row.codec == 1, f"{self.where}: codec {row.codec}")
        try:
            raw = zstandard.ZstdDecompressor().decompress(stored, max_output_size=row.raw)
        except zstandard.ZstdError as error:
            raise Broken(f"{self.where}: {error}") from error
        expect(len(raw) == row.raw, f"{self.where}: raw size differs")
        return raw


def read_pack(path: Path) -> Pack:
    """Read a pack and compare with their names its table and every object in it."""
    where, data = str(path), path.read_bytes()
    expect(data[:8] == b"dvpack\0\1", f"{where}: no header")
    expect(data[-8:] == b"dvpend\0\1" and len(data) >= 40, f"{where}: no footer: the file is cut short")
    offset, length, check = (_number(data, len(data) - 32 + 8 * n, 8) for n in range(3))
    table = data[offset : offset + length]
    expect(offset + length + 32 == len(data), f"{where}: table and footer do not meet")
    expect(xxhash.xxh3_64_intdigest(table) == check, f"{where}: checksum of the table")
    expect((len(table) - 16) % 68 == 0, f"{where}: length of the table")
    rows: dict[Name, Row] = {}
    last = b""
    for start in range(16, len(table), 68):
        expect(table[start : start + 34] > last, f"{where}: rows are not ascending")
        last = table[start : start + 34]
        row = _row(table, start, where)
        expect(row.offset >= 8 and row.offset + row.stored <= offset, f"{where}: a row outside the payloads")
        stored = data[row.offset : row.offset + row.stored]
        expect(
            xxhash.xxh3_64_intdigest(stored) == _number(table, start + 60, 8), f"{where}: checksum of a row"
        )
        rows[row.name] = row
    pack = Pack(where, data, derived("pack", table), rows)
    for name in rows:
        _check_object(name, pack.read(name), where)
    return pack


def _check_object(name: Name, data: bytes, where: str) -> None:
    kind, digest = name
    if kind in (BLOB, CHUNK):
        expect(blake3(data).digest() == digest, f"{where}: an object whose hash is not its name")
    elif kind == LEAF:
        leaf_entries(name, data)
    elif kind == ROOT:
        root_leaves(name, data)


def root_leaves(name: Name, data: bytes) -> list[tuple[bytes, int]]:
    """Give (leaf id, entries) of a stored root (chapter 6)."""
    expect(data[:8] == b"dvroot\0\1", "a root without its header")
    length = int.from_bytes(data[8:12], "big")
    canonical = data[12 : 12 + length]
    expect(derived("root", canonical) == name[1], "a root whose hash is not its name")
    version, leaves = msgspec.msgpack.decode(canonical)
    expect(version == 1, "a root of another version")
    return [(leaf, count) for leaf, count in leaves]


def leaf_entries(name: Name, data: bytes) -> tuple[list[list[Any]], list[bytes]]:
    """Give the entries of a leaf and the commitments of those erased, compared with its id (chapter 6)."""
    document = msgspec.msgpack.decode(data)
    expect(document[:2] in ([1, 0], [1, 1]), "a leaf of another version or form")
    erased: list[bytes] = []
    if document[1]:
        expect(not document[3], "a leaf with substitutes, which these tests do not make")
        salts, entries, erased = *([one[n] for one in document[2]] for n in (0, 1)), document[4]
    else:
        entries = document[3]
        stream = blake3(b"", key=document[2]).digest(length=16 * len(entries))
        salts = [stream[16 * n : 16 * n + 16] for n in range(len(entries))]
    made = [
        derived("entry", salt + msgspec.msgpack.encode(e)) for salt, e in zip(salts, entries, strict=True)
    ]
    expect(
        derived("leaf", b"".join(sorted([*made, *erased]))) == name[1], "a leaf whose hash is not its name"
    )
    return list(entries), list(erased)


class Objects:
    """Objects by name, out of packs and (in a cache) loose files."""

    def __init__(self) -> None:
        self.packs: dict[Name, Pack] = {}
        self.loose: dict[bytes, Path] = {}
        self.stubs: set[bytes] = set()
        """Commitments of the erased entries of all versions that were restored."""

    def take(self, pack: Pack) -> None:
        self.packs.update(dict.fromkeys(pack.rows, pack))

    def read(self, name: Name, what: str) -> bytes:
        if name in self.packs:
            return self.packs[name].read(name)
        expect(name[0] == BLOB and name[1] in self.loose, f"{what} is missing: {name[0]}:{name[1].hex()}")
        return self.loose[name[1]].read_bytes()

    def blob(self, digest: bytes, what: str) -> bytes:
        """Give a blob, put together from its chunks where it has a recipe (chapter 8)."""
        if (BLOB, digest) in self.packs or digest in self.loose:
            return self.read((BLOB, digest), what)
        recipe = self.read((RECIPE, digest), what)
        expect(recipe[:12] == b"dvrecipe\0\1\1\0", f"{what}: no recipe")
        count = int.from_bytes(recipe[20:24], "big")
        digests = [recipe[24 + 36 * n : 56 + 36 * n] for n in range(count)]
        data = b"".join(self.read((CHUNK, d), f"a chunk of {what}") for d in digests)
        expect(blake3(data).digest() == digest, f"{what}: its chunks are another file")
        return data

    def restore(self, root_id: bytes, without: str = "") -> Tree:
        """Put a version together: every file of it, with its content; leave out what is below *without*."""
        tree: Tree = {}
        if root_id == derived("root", msgspec.msgpack.encode([1, []])):
            return tree
        name = (ROOT, root_id)
        for leaf, count in root_leaves(name, self.read(name, "a root")):
            entries, erased = leaf_entries((LEAF, leaf), self.read((LEAF, leaf), "a leaf"))
            is_whole = len(entries) + len(erased) == count
            expect(is_whole, "a leaf with another number of entries than its root says")
            self.stubs.update(erased)
            for path, kind, oid, size, *_ in entries:
                shown = os.fsdecode(path)
                if without and shown.startswith(without):
                    continue
                content = b"" if oid is None else self.blob(oid[1:], shown)
                expect(len(content) == size, f"{shown}: another size than its entry says")
                tree[shown] = (kind, content)
        return tree


# -- the cache (chapter 9) ---------------------------------------------------------------------------


def read_cache(folder: Path) -> Objects:
    """Read a whole cache; every object that has its name must be whole."""
    objects = Objects()
    for path in sorted((folder / "packs").glob("*")) if folder.exists() else []:
        if path.name.startswith(TEMP_PREFIX):
            continue
        pack = read_pack(path)
        expect(path.name[2:] == pack.pack_id.hex(), f"{path}: a pack under another name")
        kinds = {name[0] in STRUCTURE for name in pack.rows}
        expect(kinds == {path.name[0] == "s"}, f"{path}: structure and data in one pack")
        objects.take(pack)
    for path in sorted((folder / "objects" / "blake3").glob("*/*")):
        if path.name.startswith(TEMP_PREFIX):
            continue
        digest = bytes.fromhex(path.parent.name + path.name)
        expect(blake3(path.read_bytes()).digest() == digest, f"{path}: a loose blob that is not its name")
        objects.loose[digest] = path
    return objects


# -- pointers (chapter 5) ----------------------------------------------------------------------------


def pointer_root(text: bytes) -> bytes:
    """Give the root id that a pointer names."""
    document = tomllib.loads(text.decode())
    expect(document["version"] == 1, "a pointer of another version")
    whole = {"version", "tree", "kind", "files", "size"} <= set(document) and text.endswith(b"\n")
    expect(whole, "a pointer that is cut short")
    return bytes.fromhex(document["tree"])


def pointers_below(top: Path) -> dict[str, bytes]:
    """Give path -> root id of every pointer in a work tree."""
    found = sorted(top.glob("**/*.dv"))
    return {str(path.relative_to(top)): pointer_root(path.read_bytes()) for path in found}


# -- a remote in a folder (chapters 10 to 12) ----------------------------------------------------------


@dataclass
class RemoteView:
    """What a reader of the remote may rely on."""

    objects: Objects = field(default_factory=Objects)
    roots: set[bytes] = field(default_factory=set)
    erased: set[bytes] = field(default_factory=set)
    """Commitments that erasure records name (chapter 13), and those that commits say they left out."""
    has_records: bool = False
    entries: int = 0


def read_remote(folder: Path) -> RemoteView:
    """Follow the journal; all that it names must be there and whole, and every root complete."""
    view = RemoteView()
    settled = (folder / "dataver.toml").read_text() if (folder / "dataver.toml").exists() else ""
    if not settled:
        expect(not (folder / "journal").exists(), "a journal without dataver.toml")
        return view
    previous = derived("journal start", tomllib.loads(settled)["id"].encode())
    live: dict[str, None] = {}
    packed: dict[str, int] = {}
    removed: set[str] = set()
    for text, body in _journal(folder):
        entry = json.loads(text)
        view.entries += 1
        expect(entry["seq"] == view.entries, "a gap in the journal")
        expect(entry["prev"] == previous.hex(), "an entry that does not follow the one before")
        previous = derived("journal entry", text)
        expect(entry["kind"] in ("commit", "deny", "close"), f"an entry of the kind {entry['kind']}")
        if entry["kind"] != "commit":
            view.has_records = True
            _take_redacted(view, body["record"].get("redact", {}).items())
            continue
        _take_redacted(view, body.get("redacted", ()))
        segments, packs = body.get("segments", {}), body.get("packs", {})
        for name, *_ in segments.get("added", []):
            live[name] = None
        for name in segments.get("removed", []):
            live.pop(name if isinstance(name, str) else name[0], None)
        packed.update(packs.get("added", []))
        removed.update(packs.get("removed", []))
        view.roots.update(bytes.fromhex(root) for root in body.get("roots", []))
    for name, size in packed.items():
        where = folder / "packs" / name[:2] / name
        is_there = where.exists() and where.stat().st_size == size
        expect(is_there or name in removed, f"the journal names a pack that is not there: {name}")
    for name in live:
        _take_segment(folder, name, removed, view.objects)
    for root in view.roots:
        view.objects.restore(root)
    expect(view.objects.stubs <= view.erased, "an entry is missing on the remote and no record erased it")
    return view


def _take_redacted(view: RemoteView, leaves: Iterable[tuple[str, list[str]]]) -> None:
    view.erased.update(bytes.fromhex(one) for _, commitments in leaves for one in commitments)


def _journal(folder: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    there = {p.name for p in (folder / "journal").glob("*") if re.fullmatch(r"\d{16}", p.name)}
    for seq in itertools.count(1):
        name = f"{seq:016d}"
        if name not in there:
            expect(len(there) == seq - 1, "a gap in the journal")
            return
        text = (folder / "journal" / name).read_bytes()
        try:
            body = json.loads(text)["body"]
        except ValueError as error:
            raise Broken(f"entry {seq} is no JSON") from error
        if isinstance(body, str):
            body = json.loads((folder / "records" / body).read_bytes())
        yield text, body


def _take_segment(folder: Path, name: str, removed: set[str], objects: Objects) -> None:
    path = folder / "segments" / name
    expect(path.exists(), f"the journal names a segment that is not there: {name}")
    data = path.read_bytes()
    expect(data[:8] == b"dvsegm\0\1", f"{path}: no header")
    expect(derived("segment", data).hex() == name, f"{path}: a segment under another name")
    packs, runs = _number(data, 24, 4), _number(data, 28, 2)
    at = 30 + 10 * runs
    listed = []
    for start in range(at, at + 40 * packs, 40):
        pack_id, size = data[start : start + 32].hex(), _number(data, start + 32, 8)
        where = folder / "packs" / pack_id[:2] / pack_id
        if pack_id in removed:
            continue
        expect(where.exists(), f"a segment names a pack that is not there: {pack_id}")
        expect(where.stat().st_size == size, f"{where}: another size than its segment says")
        pack = read_pack(where)
        expect(pack.pack_id.hex() == pack_id, f"{where}: a pack under another name")
        listed.append(pack)
    at += 40 * packs
    for start in range(at, len(data), 64):
        row = _row(data, start, str(path))
        ordinal = _number(data, start + 60, 4)
        if not removed:
            expect(listed[ordinal].rows.get(row.name) == row, f"{path}: a row that is not its pack's")
    for pack in listed:
        objects.take(pack)
