"""A cache read from end to end, file by file, and what is damaged in it set aside.

Reads the files themselves, never through `Cache`, which leaves unreadable packs out without a word.
Sound objects of a damaged pack are written to a new one before the old one is moved away.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from dataver.disk.digest import digest_file
from dataver.disk.folders import entries_of
from dataver.errors import DataverError, UnsupportedError
from dataver.formats.codec import ZSTD
from dataver.formats.pack import FOOTER_SIZE, HEADER_SIZE, NONCE_SIZE, ROW_SIZE, Row, Table
from dataver.formats.redaction import Erased
from dataver.hashing import ALGORITHM_NAMES, DIGEST_SIZES
from dataver.model.names import ROOT, Oid, StructureId, blob_name
from dataver.store.cache import Cache
from dataver.store.loose import Loose
from dataver.store.packfile import PackReader, PackWriter
from dataver.transfer.scrubbing import CORRUPT, Scrubbed, scrub_rows, verdict_of

_LONGEST_TABLE = 64 * 1024 * 1024


class CacheFile(NamedTuple):
    """One pack or loose blob of a cache."""

    path: str
    size: int
    oid: Oid | None
    """Of a loose blob; None for a pack."""


def cache_files(folder: str) -> tuple[list[CacheFile], list[str]]:
    """Return every pack and loose blob in the cache *folder*, and paths that are neither.

    Raises: local errors.
    """
    found: list[CacheFile] = []
    strays: list[str] = []
    for entry in entries_of(f"{folder}/packs"):
        is_pack = len(entry.name) == 66 and entry.name[:2] in ("s-", "d-") and _is_hex(entry.name[2:])
        if is_pack and entry.is_file(follow_symlinks=False):
            found.append(CacheFile(entry.path, entry.stat(follow_symlinks=False).st_size, None))
        else:
            strays.append(entry.path)
    loose = Loose(folder)
    for above in entries_of(f"{folder}/objects"):
        if above.name not in ALGORITHM_NAMES.values() or not above.is_dir(follow_symlinks=False):
            strays.append(above.path)
            continue
        for middle in entries_of(above.path):
            if not middle.is_dir(follow_symlinks=False):
                strays.append(middle.path)
                continue
            for entry in entries_of(middle.path):
                oid = loose.oid_of_path(entry.path)
                if oid is None:
                    strays.append(entry.path)
                else:
                    found.append(CacheFile(entry.path, entry.stat(follow_symlinks=False).st_size, oid))
    return found, strays


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdef" for c in text)


def scrub_file(erased: Erased, file: CacheFile) -> Scrubbed | None:
    """Read and verify one file of a cache; None where another process took it away meanwhile.

    Runs in worker processes.
    """
    if file.oid is not None:
        return _scrub_blob(file.path, file.oid)
    try:
        reader = PackReader(file.path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Scrubbed(fault=f"it cannot be read: {error.strerror}")
    try:
        found = Scrubbed()
        listed = _listed(reader, _id_of(file.path))
        found.fault = listed.fault
        scrub_rows(sorted(listed.rows, key=lambda row: row.offset), reader.stored, erased, found)
        if not listed.is_sure:
            found.bad = []  # a damaged table may name what never was
            found.newer += not listed.fault
        found.size = file.size
        return found
    finally:
        reader.close()


def _scrub_blob(path: str, oid: Oid) -> Scrubbed | None:
    found = Scrubbed(objects=1)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found.size = os.fstat(fd).st_size
            if digest_file(fd, oid[0], found.size) != oid[1:]:
                found.bad.append(blob_name(oid))
        finally:
            os.close(fd)
    except FileNotFoundError:
        return None
    except OSError:
        found.bad.append(blob_name(oid))
    return found


def _id_of(path: str) -> StructureId:
    return StructureId(bytes.fromhex(os.path.basename(path)[2:]))


# -- the table of a damaged pack --------------------------------------------------------------------


class _Listed(NamedTuple):
    """What a pack says that it holds."""

    rows: Sequence[Row]
    is_sure: bool
    """True when the table is the one that the pack is named by."""
    fault: str


def _listed(reader: PackReader, pack_id: StructureId) -> _Listed:
    """Return the rows of a pack, found also where header or footer are damaged.

    Of a damaged table those rows are returned that look like some: each object that they lead to
    is verified against its own name.
    """
    is_newer = False
    try:
        table = reader.table()
        if table.pack_id == pack_id:
            return _Listed(list(table.rows()), is_sure=True, fault="")
        fault = "its table gives another id"
    except (DataverError, OSError) as error:
        is_newer = isinstance(error, UnsupportedError)
        fault = error.message if isinstance(error, DataverError) else f"it cannot be read: {error.strerror}"
    table = _table_before_footer(reader)
    if table.pack_id == pack_id:
        return _Listed(list(table.rows()), is_sure=True, fault=fault)
    if is_newer:
        return _Listed((), is_sure=False, fault="")
    return _Listed(list(table.rows()), is_sure=False, fault=fault)


def _table_before_footer(reader: PackReader) -> Table:
    """Return as a table what stands before the footer of a pack and looks like rows, in order."""
    end = reader.size - FOOTER_SIZE
    try:
        with open(reader.path, "rb", buffering=0) as file:
            begin = max(end - _LONGEST_TABLE, HEADER_SIZE)
            data = os.pread(file.fileno(), max(end - begin, 0), begin)
    except OSError:
        data = b""
    following = b""
    at = len(data)
    while at - ROW_SIZE >= NONCE_SIZE:
        row = Table(bytes(NONCE_SIZE) + data[at - ROW_SIZE : at]).row(0)
        is_row = (
            0 < row.name[0] <= ROOT
            and row.name[1] in DIGEST_SIZES
            and row.codec <= ZSTD
            and not row.flags
            and row.offset + row.stored <= end
        )
        if not is_row or (following and row.name >= following):
            break
        following = row.name
        at -= ROW_SIZE
    return Table(data[max(at - NONCE_SIZE, 0) :] if len(data) > NONCE_SIZE else bytes(NONCE_SIZE))


# -- setting aside ----------------------------------------------------------------------------------


def set_aside(cache: Cache, file: CacheFile, erased: Erased) -> None:
    """Move a damaged file to quarantine, after the sound objects of a pack were written to a new one.

    Raises: local errors, as of a cache that may only be read.
    """
    if file.oid is None:
        _rescue(cache, file.path, erased)
    cache.set_aside(file.path)


def _rescue(cache: Cache, path: str, erased: Erased) -> None:
    try:
        reader = PackReader(path)
    except OSError:
        return
    try:
        writer = PackWriter(cache.disk, cache.temp_path())
        for row in sorted(_listed(reader, _id_of(path)).rows, key=lambda row: row.offset):
            try:
                stored = bytes(reader.stored(row))
            except (DataverError, OSError):
                continue
            if verdict_of(row, stored, erased) != CORRUPT:
                writer.add_stored(row.name, row.codec, stored, row.raw, row.check)
        if len(writer):
            cache.publish([writer.close()])
        else:
            writer.abort()
    finally:
        reader.close()
