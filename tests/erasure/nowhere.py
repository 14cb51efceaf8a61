"""A raw walk: is there any byte left of what was erased, in any file, name, pack, database or Git object?

Knows nothing of what dataver believes to hold: every byte of every file is looked at, packed
and deflated ones after they were unpacked as well.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import zstandard

from dataver.errors import DataverError
from dataver.store.packfile import PackReader

_PACK_MAGIC = b"dvpack"
_ZSTD_MAGIC = re.compile(re.escape(b"\x28\xb5\x2f\xfd"))
_SQLITE_MAGIC = b"SQLite format 3\0"
_FRAME_WINDOW = 1 << 20
"""Bytes after a frame's magic that are given to the decompressor where no table says how long it is."""


class Marker:
    """What must be nowhere, in every form in which it may stand in a file."""

    def __init__(self, kind: str, value: bytes) -> None:
        forms = {value}
        if kind == "oid":
            # The algorithm's byte in front says nothing; a loose blob's name is cut after two digits.
            bare = value[1:] if len(value) in (17, 33) else value
            forms = {bare, *_hexes(bare)}
        elif kind == "name":
            # Names stand in hex in the record, and escaped in JSON.
            forms |= {*_hexes(value), value.decode("utf-8", "replace").encode("unicode_escape")}
        self.shown = f"{kind} {value.hex() if kind == 'oid' else repr(value)}"
        self.forms = tuple(form for form in forms if form)

    def is_in(self, data: bytes) -> bool:
        """Tell whether any form of it stands in *data*."""
        return any(form in data for form in self.forms)


def _hexes(value: bytes) -> set[bytes]:
    text = value.hex()
    return {text.encode(), text.upper().encode()}


def nowhere(
    folders: Iterable[str | Path],
    *,
    contents: Iterable[bytes] = (),
    names: Iterable[bytes] = (),
    oids: Iterable[bytes] = (),
) -> list[str]:
    """Give a line for each place below *folders* where any of the markers is found; none is none left.

    *contents* are bytes that the erased files hold, *names* (parts of) their paths, *oids* their
    ids, with the byte of the algorithm or without.
    """
    markers = [
        *(Marker("content", value) for value in contents),
        *(Marker("name", value) for value in names),
        *(Marker("oid", value) for value in oids),
    ]
    found: dict[str, None] = {}
    for folder in folders:
        for where, data in _everything(os.fsencode(folder)):
            for marker in markers:
                if marker.is_in(data):
                    found[f"{where}: {marker.shown}"] = None
    return list(found)


def _everything(folder: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (where, bytes) of all that can be found below *folder*, links not followed."""
    for here, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(here, name)
            shown = os.fsdecode(path)
            inside = os.path.relpath(path, folder)
            yield f"{shown} (its name)", inside
            # A loose blob's digits are cut into folders.
            yield f"{shown} (its name)", inside.replace(b"/", b"")
            if os.path.islink(path):
                yield f"{shown} (its target)", os.readlink(path)
                yield f"{shown} (its target)", os.readlink(path).replace(b"/", b"")
        for name in files:
            path = os.path.join(here, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield from _file(path)
        if {b"objects", b"refs"}.issubset(folders) and b"HEAD" in files:
            yield f"{os.fsdecode(here)} (Git's objects)", _git_objects(here)
    if os.path.isfile(folder):
        yield from _file(folder)


def _file(path: bytes) -> Iterator[tuple[str, bytes]]:
    shown = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return
    yield shown, data
    if data.startswith(_PACK_MAGIC):
        yield from _packed(shown)
    elif data.startswith(_SQLITE_MAGIC):
        yield from _rows(shown)
    # Also what only begins like a pack: half of one, without a table, is in no reader's hands.
    yield from _frames(shown, data)
    if b"/.git/objects/" in path:
        try:
            yield f"{shown} (deflated)", zlib.decompress(data)
        except zlib.error:
            pass


def _packed(path: str) -> Iterator[tuple[str, bytes]]:
    try:
        with closing(PackReader(path)) as reader:
            for row in reader.table(is_own=True).rows():
                yield f"{path} (row {row.name.hex()})", bytes(row.name)
                yield f"{path} (object {row.name.hex()})", bytes(reader.read(row))
    except DataverError:
        return  # damaged: its frames are looked for one by one


def _frames(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what each zstd frame in *data* holds, as far as it can be read."""
    for found in _ZSTD_MAGIC.finditer(data):
        window = data[found.start() : found.start() + _FRAME_WINDOW]
        try:
            frame = zstandard.ZstdDecompressor().decompressobj().decompress(window)
        except zstandard.ZstdError:
            continue
        yield f"{path} (frame at {found.start()})", frame


def _rows(path: str) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
            for table in tables:
                for row in connection.execute(f"SELECT * FROM '{table}'"):
                    cells = [v if isinstance(v, bytes) else str(v).encode() for v in row]
                    yield f"{path} (table {table})", b"\n".join(cells)
        except sqlite3.Error:
            return  # an index's inner table, or a damaged file: its raw bytes were looked at


def _git_objects(git_folder: bytes) -> bytes:
    """Give every object that Git has, reachable or not, whole."""
    argv = ["git", "-C", os.fsdecode(git_folder), "cat-file", "--batch-all-objects", "--batch"]
    return subprocess.run(argv, check=True, capture_output=True, timeout=120).stdout
