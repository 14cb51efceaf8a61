"""Large files from their chunks: those that the cache has in another version, the rest from the remote.

Chunks come in file order, several runs at a time, and are written and hashed as they come: memory
stays the same however large the file is, and nothing is visible before its whole hash is right.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError, local_error
from dataver.formats.recipe import Recipe, decode_recipe
from dataver.formats.segment import Place
from dataver.hashing import Buffer, digest, hasher
from dataver.model.names import RECIPE, ObjectName, Oid, blob_name, chunk_name, oid_of_name, show_name
from dataver.parallel import give_back_large_blocks, threads_map_ordered
from dataver.store.cache import Cache
from dataver.transfer.verify import opened
from dataver.transfer.wanted import Ends

RUN_SIZE = 16 * 1024 * 1024
"""Bytes of chunks that one read brings."""
_RUNS_AT_ONCE = 4
_CHUNKS_AT_ONCE = 4096
"""Chunks looked up at a time."""
_MOST_LOCAL_CHUNKS = 1 << 20


class Piece(NamedTuple):
    """One chunk, to be written so many times in a row."""

    oid: Oid
    length: int
    repeats: int
    place: Place | None
    """On the remote; None where the cache has it."""
    local: tuple[Oid, int] | None
    """A blob in the cache and the chunk's offset in it."""


class Assembled(NamedTuple):
    """A whole, verified file in the cache's `tmp/`."""

    path: str
    chunks: int
    """Chunks that came from the remote."""
    packs: int
    """Packs that they lay in."""


def assemble(ends: Ends, oid: Oid, recipe: Recipe) -> Assembled:
    """Make the blob *oid* from its chunks; a second time where a gc may have moved them meanwhile.

    Raises: MissingObjectError, CorruptObjectError, RemoteError, local errors.
    """
    give_back_large_blocks()
    try:
        return _assembled(ends, oid, recipe)
    except (MissingObjectError, CorruptObjectError):
        if not ends.remote.refresh():
            raise
        return _assembled(ends, oid, recipe)


def _assembled(ends: Ends, oid: Oid, recipe: Recipe) -> Assembled:
    path = ends.cache.temp_path()
    try:
        return Assembled(path, *_write(ends, path, oid, recipe))
    except BaseException as error:
        with contextlib.suppress(OSError):
            ends.disk.unlink(path)
        if isinstance(error, OSError):
            raise local_error(error, path, "write") from error
        raise


def _write(ends: Ends, path: str, oid: Oid, recipe: Recipe) -> tuple[int, int]:
    whole = hasher(oid[0])
    received = 0
    packs: set[bytes] = set()
    fd = ends.disk.create(path, 0o444)
    try:
        runs = _runs(pieces_of(ends, recipe))
        for run in threads_map_ordered(partial(_read, ends), runs, min(ends.jobs, _RUNS_AT_ONCE)):
            for piece, data in run:
                if piece.local is None:
                    received += 1
                    packs.add(piece.place.pack_id if piece.place else b"")
                for _ in range(piece.repeats):
                    ends.disk.write(fd, data)
                    whole.update(data)
    finally:
        os.close(fd)
    if whole.digest() != oid[1:]:
        raise CorruptObjectError(show_name(blob_name(oid)), "the remote")
    return received, len(packs)


def pieces_of(ends: Ends, recipe: Recipe) -> Iterator[Piece]:
    """Yield where each chunk comes from, in file order; the same chunk in a row is one piece."""
    known = local_chunks(ends.cache, {oid for oid, _ in recipe.chunks})
    waiting: Piece | None = None
    for start in range(0, len(recipe.chunks), _CHUNKS_AT_ONCE):
        part = recipe.chunks[start : start + _CHUNKS_AT_ONCE]
        places = ends.remote.find({chunk_name(oid) for oid, _ in part if oid not in known})
        for oid, length in part:
            if waiting is not None and waiting.oid == oid:
                waiting = waiting._replace(repeats=waiting.repeats + 1)
                continue
            if waiting is not None:
                yield waiting
            waiting = Piece(oid, length, 1, places.get(chunk_name(oid)), known.get(oid))
    if waiting is not None:
        yield waiting


def _runs(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    run: list[Piece] = []
    size = 0
    for piece in pieces:
        if run and size + piece.length > RUN_SIZE:
            yield run
            run, size = [], 0
        run.append(piece)
        size += piece.length
    if run:
        yield run


def _read(ends: Ends, run: list[Piece]) -> list[tuple[Piece, Buffer]]:
    """Return the chunks of a run, each verified."""
    found: dict[Oid, Buffer] = {}
    lacking: dict[ObjectName, Place] = {}
    for piece in run:
        data = None if piece.local is None else _read_local(ends.cache, piece)
        if data is not None:
            found[piece.oid] = data
        elif piece.place is not None:
            lacking[chunk_name(piece.oid)] = piece.place
        else:
            lacking.update(ends.remote.find([chunk_name(piece.oid)]))
    for _ in range(2):  # once more what arrived damaged
        names = list(lacking)
        ranges = [(lacking[n].pack_id, lacking[n].offset, lacking[n].stored) for n in names]
        for name, stored in zip(names, ends.remote.read_ranges(ranges) if ranges else (), strict=True):
            if isinstance(stored, DataverError):
                continue
            content = opened(name, lacking[name].codec, stored, lacking[name].raw)
            if content is not None:
                found[oid_of_name(name)] = content
                del lacking[name]
    for piece in run:
        if piece.oid not in found:
            what = show_name(chunk_name(piece.oid))
            if chunk_name(piece.oid) in lacking:
                raise CorruptObjectError(what, "the remote")
            raise MissingObjectError(what, "the remote")
        if len(found[piece.oid]) != piece.length:
            raise CorruptObjectError(show_name(chunk_name(piece.oid)), "the recipe")
    return [(piece, found[piece.oid]) for piece in run]


# -- what the cache has already ---------------------------------------------------------------------


def local_chunks(cache: Cache, wanted: set[Oid]) -> dict[Oid, tuple[Oid, int]]:
    """Return which of the *wanted* chunks lie in blobs of the cache: (blob, offset) by chunk.

    Known by the recipes of what was pushed or fetched before.
    """
    found: dict[Oid, tuple[Oid, int]] = {}
    looked_at = 0
    for name in recipes_of(cache):
        blob = oid_of_name(name)
        if looked_at > _MOST_LOCAL_CHUNKS or len(found) == len(wanted):
            break
        if not cache.loose.has(blob):
            continue
        try:
            recipe = decode_recipe(cache.read(name))
        except DataverError:
            continue
        offset = 0
        for oid, length in recipe.chunks:
            if oid in wanted:
                found.setdefault(oid, (blob, offset))
            offset += length
        looked_at += len(recipe.chunks)
    return found


def recipes_of(cache: Cache) -> list[ObjectName]:
    """Return the names of all recipes in the cache."""
    names = []
    for pack in cache.packs(structure=True):
        for row in pack.table.rows():
            if row.name[0] != RECIPE:  # recipes sort before leaves and roots
                break
            names.append(row.name)
    return names


def _read_local(cache: Cache, piece: Piece) -> bytes | None:
    """Return a chunk out of a blob in the cache, None where that blob is gone or damaged."""
    assert piece.local is not None
    blob, offset = piece.local
    try:
        fd = cache.loose.open(blob)
        if fd is None:
            return None
        try:
            data = os.pread(fd, piece.length, offset)
        finally:
            os.close(fd)
    except (DataverError, OSError):
        return None
    return data if digest(piece.oid[0], data) == piece.oid[1:] else None
