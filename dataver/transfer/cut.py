"""Large blobs on their way to a remote: where they are cut, and that they are what their name says."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dataver.errors import CorruptObjectError, MissingObjectError, local_error
from dataver.formats.recipe import Recipe, cut_stream
from dataver.hashing import digest, hasher
from dataver.model.names import Oid, blob_name, oid_of_digest, show_name
from dataver.store.cache import Cache


def cut_blob(cache: Cache, oid: Oid) -> Recipe:
    """Return how the loose blob *oid* is made of chunks; all of it is hashed before any of it is sent.

    Raises: MissingObjectError, CorruptObjectError, local errors.
    """
    fd = _opened(cache, oid)
    whole = hasher(oid[0])
    chunks: list[tuple[Oid, int]] = []
    try:
        with open(fd, "rb", buffering=0) as file:
            for _, data in cut_stream(file):
                whole.update(data)
                chunks.append((oid_of_digest(oid[0], digest(oid[0], data)), len(data)))
    except OSError as error:
        raise local_error(error, cache.loose.path(oid)) from error
    if whole.digest() != oid[1:]:
        raise CorruptObjectError(show_name(blob_name(oid)), "the cache")
    return Recipe(sum(length for _, length in chunks), tuple(chunks))


def read_chunks(cache: Cache, oid: Oid, recipe: Recipe, wanted: set[Oid]) -> Iterator[tuple[Oid, bytes]]:
    """Yield the *wanted* chunks of a blob, each once, verified.

    Raises: MissingObjectError, CorruptObjectError where the blob changed since it was cut; local errors.
    """
    fd = _opened(cache, oid)
    rest = set(wanted)
    offset = 0
    try:
        for chunk, length in recipe.chunks:
            if chunk in rest:
                rest.discard(chunk)
                data = os.pread(fd, length, offset)
                if digest(chunk[0], data) != chunk[1:]:
                    raise CorruptObjectError(show_name(blob_name(oid)), "the cache")
                yield chunk, data
            offset += length
    except OSError as error:
        raise local_error(error, cache.loose.path(oid)) from error
    finally:
        os.close(fd)


def _opened(cache: Cache, oid: Oid) -> int:
    fd = cache.loose.open(oid)
    if fd is None:
        raise MissingObjectError(show_name(blob_name(oid)), "the cache")
    return fd
